//! `onrush serve`: runs the broker until it is told to stop.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Parser as _, ValueEnum};
use onrush::{Config, DiskBackend, Error, Onrush};
use tokio::signal::unix::{SignalKind, signal};

/// What `serve` is told.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Directory of the data; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "./onrush-data")]
    data: PathBuf,
    /// Where clients of the native protocol connect; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7222")]
    native: String,
    /// Where /metrics, /healthz and /readyz are served; nowhere unless given.
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Threads that serve connections; 0 takes as many as there are cores.
    #[arg(long, value_name = "N", default_value_t = 0)]
    shards: usize,
    /// Listen where other machines can connect, though nothing authenticates or encrypts yet.
    #[arg(long)]
    insecure_listen: bool,
    /// Which system calls reach the disk.
    #[arg(long, value_enum, default_value_t = DiskChoice::Auto)]
    disk: DiskChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DiskChoice {
    /// Whichever is known to be the faster one here.
    Auto,
    /// pwritev, pread, fdatasync.
    Plain,
    /// `io_uring`, where the kernel has it.
    Uring,
}

#[derive(Debug, clap::Parser)]
struct Nothing {
    #[command(flatten)]
    serve: Serve,
}

impl Default for Serve {
    fn default() -> Self {
        Nothing::parse_from(["onrush"]).serve
    }
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(crate) fn run(self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(|source| system("start", "the event loop", source))?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Error> {
        // From here on a signal is kept until the broker can heed it.
        let catch = |kind| signal(kind).map_err(|source| system("catch", "signals", source));
        let mut terminate = catch(SignalKind::terminate())?;
        let mut interrupt = catch(SignalKind::interrupt())?;

        let disk = match self.disk {
            DiskChoice::Auto => DiskBackend::Auto,
            DiskChoice::Plain => DiskBackend::Plain,
            DiskChoice::Uring => DiskBackend::Uring,
        };
        let config = Config::at(&self.data)
            .shards(self.shards)
            .disk(disk)
            .insecure_listen(self.insecure_listen);
        let broker = Onrush::open(config)?;
        let native = broker.listen(&self.native)?;
        if let Some(http) = &self.http {
            let http = broker.listen_http(http)?;
            eprintln!("metrics and health at http://{http}/metrics");
        }
        say(&format!("ready native={native}"))?;

        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("stopping");
        broker.stop().await
    }
}

fn say(line: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|source| system("write to", "standard output", source))
}

fn system(op: &'static str, what: &str, source: io::Error) -> Error {
    Error::Io { op, what: what.to_owned(), source }
}
