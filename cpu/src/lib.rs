//! What guest processors are.
