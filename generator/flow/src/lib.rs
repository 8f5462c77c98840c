//! bitlathe-flow
