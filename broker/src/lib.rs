//! Topics, partitions, groups and producers: the broker itself, embeddable, knowing no socket.

pub mod group;
