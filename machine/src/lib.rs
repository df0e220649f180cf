//! Boards, loaders and engines.
