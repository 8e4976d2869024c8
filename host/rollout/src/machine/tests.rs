//! Placeholder of nothing: tables and properties follow.
