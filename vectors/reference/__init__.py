"""An independent reading of the evidence contract, in standard-library Python.

It shares no code with the Rust floors: the golden files come from here, so that a
mistake has to be made twice, in two languages, before a test agrees with it.
"""
