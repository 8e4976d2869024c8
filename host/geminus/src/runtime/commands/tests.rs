//! The desk with a clock and a field of its own.
