//! One broker process over its data directory: started, stopped, killed, started again.

use crate::binary;
use onrush_sys::process::{rss_bytes, rss_peak_bytes};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The data directory.
    pub data: PathBuf,
    /// The native listener; port 0 lets the system choose.
    pub native: String,
    /// The Kafka listener, likewise; nothing: not asked for.
    pub kafka: Option<String>,
    /// Further arguments of `onrush serve`.
    pub more: Vec<String>,
    /// How many files it may have open; nothing: as many as this process.
    pub descriptors: Option<u32>,
}

impl ServeOptions {
    /// A broker over `data`, on ports of the system's choice.
    #[must_use]
    pub fn at(data: &Path) -> Self {
        let any = || "127.0.0.1:0".to_owned();
        Self {
            data: data.to_owned(),
            native: any(),
            kafka: Some(any()),
            more: Vec::new(),
            descriptors: None,
        }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn with(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }
}

/// A running `onrush serve`. Dropping it kills it.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    stdout: BufReader<ChildStdout>,
    ready: String,
    options: ServeOptions,
}

impl BrokerProcess {
    /// Starts a broker and waits for its ready line.
    ///
    /// # Panics
    /// When it ends before it is ready.
    #[must_use]
    pub fn start(options: ServeOptions) -> Self {
        Self::try_start(options.clone())
            .unwrap_or_else(|status| panic!("the broker ended with {status}: {options:?}"))
    }

    /// Starts a broker and waits for its ready line, or for its end.
    ///
    /// # Errors
    /// The status it ended with before it was ready.
    pub fn try_start(options: ServeOptions) -> Result<Self, ExitStatus> {
        let mut command = match options.descriptors {
            None => Command::new(binary("onrush")),
            Some(most) => {
                // The shell becomes the broker: its process is the one that is started here.
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most} && exec \"$@\"")]);
                shell.arg("sh").arg(binary("onrush"));
                shell
            }
        };
        let mut child = command
            .arg("serve")
            .args(["--data".as_ref(), options.data.as_os_str()])
            .args(["--native", &options.native])
            .args(options.kafka.iter().flat_map(|kafka| ["--kafka", kafka]))
            .args(&options.more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("onrush can be started");
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut ready = String::new();
        stdout.read_line(&mut ready).expect("standard output can be read");
        if ready.is_empty() {
            return Err(child.wait().expect("the broker can be waited for"));
        }
        assert!(ready.starts_with("ready native="), "an unexpected first line: {ready:?}");
        Ok(Self { child, stdout, ready, options })
    }

    /// What the broker said when it was ready.
    #[must_use]
    pub fn ready_line(&self) -> &str {
        &self.ready
    }

    /// The address after `name=` on the ready line.
    ///
    /// # Panics
    /// When the broker did not name such a listener.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        self.ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_else(|| panic!("no {name} listener on {:?}", self.ready))
            .to_owned()
    }

    /// The address of the native listener.
    #[must_use]
    pub fn native(&self) -> String {
        self.address("native")
    }

    /// The address of the Kafka listener.
    #[must_use]
    pub fn kafka(&self) -> String {
        self.address("kafka")
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory it takes.
    ///
    /// # Panics
    /// When the process is gone.
    #[must_use]
    pub fn rss(&self) -> u64 {
        rss_bytes(Some(self.pid())).expect("it runs")
    }

    /// The most bytes of memory it has ever taken.
    ///
    /// # Panics
    /// When the process is gone.
    #[must_use]
    pub fn peak_rss(&self) -> u64 {
        rss_peak_bytes(Some(self.pid())).expect("it runs")
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill_process(Pid::from_raw(pid).expect("not zero"), signal).expect("it is running");
    }

    /// `kill -9`, waited for.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM, waited for.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().expect("it can be waited for")
    }

    /// Kills it and starts it again over the same directory and ports.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        let mut options = self.options.clone();
        options.native = self.native();
        options.kafka = options.kafka.map(|_| self.kafka());
        *self = Self::start(options);
    }

    /// What else it prints on standard output until it ends.
    ///
    /// # Panics
    /// When that cannot be read.
    pub fn rest_of_output(&mut self) -> Vec<String> {
        self.stdout.by_ref().lines().map(|line| line.expect("text")).collect()
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
