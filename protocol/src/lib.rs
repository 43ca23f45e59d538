//! The native binary protocol: frames, requests, responses, error codes. No I/O.
