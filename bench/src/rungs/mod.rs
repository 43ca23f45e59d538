//! The rungs: bare things, one server thread on core 0 and one client thread on core 1.

pub mod append_ack;
pub mod produce;
pub mod round_trip;
pub mod send_file;
pub mod sync;
pub mod wire;

use serde::Serialize;

use crate::stats::{Percentiles, short};

/// What one round of one rung measured; what does not apply stays out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Which rung.
    pub rung: String,
    /// Messages, requests or syncs done.
    pub operations: u64,
    /// How long it took.
    pub seconds: f64,
    /// Operations per second.
    pub per_second: f64,
    /// 10⁹ bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gigabytes_per_second: Option<f64>,
    /// Server thread's CPU nanoseconds per operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_ns: Option<f64>,
    /// Server thread's CPU seconds per 10⁹ bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_seconds_per_gigabyte: Option<f64>,
    /// Messages in a frame, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_frame: Option<f64>,
    /// Frames that one append took, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_append: Option<f64>,
    /// System calls of the server's thread for each frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_calls_per_frame: Option<f64>,
    /// Latency, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<Percentiles>,
}

impl Figures {
    /// Figures of `operations` in `seconds`.
    #[must_use]
    pub fn new(rung: impl Into<String>, operations: u64, seconds: f64) -> Figures {
        let per_second = operations as f64 / seconds;
        Figures { rung: rung.into(), operations, seconds, per_second, ..Figures::default() }
    }

    /// Adds what the server spent.
    #[must_use]
    pub fn with_server_cpu(mut self, cpu: std::time::Duration) -> Figures {
        self.server_cpu_ns = Some(cpu.as_secs_f64() * 1e9 / self.operations as f64);
        self
    }

    /// Adds the bytes moved, and the CPU for each where `cpu` is the server's.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64, cpu: Option<std::time::Duration>) -> Figures {
        let gigabytes = bytes as f64 / 1e9;
        self.gigabytes_per_second = Some(gigabytes / self.seconds);
        self.server_cpu_seconds_per_gigabyte = cpu.map(|cpu| cpu.as_secs_f64() / gigabytes);
        self
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<34} {:>12}/s", self.rung, short(self.per_second))?;
        if let Some(rate) = self.gigabytes_per_second {
            write!(f, "  {} GB/s", short(rate))?;
        }
        if let Some(cpu) = self.server_cpu_ns {
            write!(f, "  server {} ns each", short(cpu))?;
        }
        if let Some(cpu) = self.server_cpu_seconds_per_gigabyte {
            write!(f, "  server {} CPU s/GB", short(cpu))?;
        }
        if let Some(count) = self.messages_per_frame {
            write!(f, "  {} a frame", short(count))?;
        }
        if let Some(count) = self.frames_per_append {
            write!(f, "  {} frames an append", short(count))?;
        }
        if let Some(calls) = self.system_calls_per_frame {
            write!(f, "  {} system calls a frame", short(calls))?;
        }
        if let Some(latency) = self.latency_us {
            let Percentiles { p50, p99, p999, max } = latency;
            let [p50, p99, p999, max] = [p50, p99, p999, max].map(short);
            write!(f, "  p50 {p50} p99 {p99} p99.9 {p999} max {max} µs")?;
        }
        Ok(())
    }
}
