//! Serves the native protocol: maps its frames to broker calls.
