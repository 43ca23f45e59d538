//! Onrush: a single-binary log broker, embeddable in tests.
