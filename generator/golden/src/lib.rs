//! bitlathe-golden
