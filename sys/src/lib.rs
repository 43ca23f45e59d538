//! What Onrush asks of the operating system: disk, memory maps, sockets, clock, threads. All unsafe code lives here.
