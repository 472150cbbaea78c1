//! The dkron daemon as a library.
