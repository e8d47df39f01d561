# Sourced by the scripts here: announces a step, runs it, says how long it took.

# step NAME COMMAND...
step() {
    local name="$1" begun="$SECONDS"
    shift
    echo "== $name"
    "$@"
    echo "== $name: $((SECONDS - begun)) s"
}
