//! A simulated disk that keeps synced and unsynced bytes apart, and the oracles that judge a crash.
