//! Players, oracles and helpers that the integration tests share.
