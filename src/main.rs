//! The program `proofline`: parses its arguments, hands them to a verb, exits with its code.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
