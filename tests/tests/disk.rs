//! What the broker does when the disk is small, read-only or of another time: on a file system of
//! its own, which a mount namespace gives without touching the machine's.
#![allow(clippy::disallowed_methods, reason = "the test changes real files")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use onrush_tests::{BrokerProcess, ServeOptions, binary, run, run_with_input, spawn};
use rustix::process::{Pid, Signal, kill_process};

/// `onrush serve` over a file system in memory, of its own.
struct OnSmallDisk {
    broker: Child,
    /// Kept open: what else the broker prints goes somewhere.
    _stdout: BufReader<ChildStdout>,
    ready: String,
}

/// Whether this machine lets a process mount a file system for itself; said loudly where not.
fn can_mount() -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).stderr(Stdio::null());
    let can = tried.status().is_ok_and(|status| status.success());
    if !can {
        // Past what the test harness keeps to itself of a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: a small or read-only disk (`unshare -Urm mount` is not allowed here)"
        );
    }
    can
}

/// A shell that has `/mnt` for itself: `script` with the path of `onrush` as `$1`.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script, "sh"]).arg(binary("onrush"));
    command
}

impl OnSmallDisk {
    fn start(size: &str) -> OnSmallDisk {
        let script = format!(
            "mount -t tmpfs -o size={size} none /mnt && \
             exec \"$1\" serve --data /mnt/data --native 127.0.0.1:0 --no-kafka \
              --http 127.0.0.1:0"
        );
        let mut broker = in_namespace(&script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare can be started");
        let mut ready = String::new();
        let mut stdout = BufReader::new(broker.stdout.take().expect("standard output is piped"));
        stdout.read_line(&mut ready).expect("it can be read");
        assert!(ready.starts_with("ready "), "{ready:?}");
        OnSmallDisk { broker, _stdout: stdout, ready }
    }

    fn address(&self, name: &str) -> &str {
        let mut words = self.ready.split_whitespace();
        let found = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.ready))
    }

    fn metric(&self, name: &str) -> f64 {
        let mut socket = TcpStream::connect(self.address("http")).expect("it listens");
        write!(socket, "GET /metrics HTTP/1.0\r\n\r\n").expect("it can be asked");
        let mut page = String::new();
        socket.read_to_string(&mut page).expect("it answers");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    fn wait_for(&self, name: &str, value: f64) {
        let begun = Instant::now();
        while (self.metric(name) - value).abs() > 0.1 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} never became {value}");
        }
    }
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        let _ = self.broker.kill();
        let _ = self.broker.wait();
    }
}

#[test]
fn a_full_disk_makes_producers_wait_and_nobody_else_and_passes_without_a_restart() {
    if !can_mount() {
        return;
    }
    let broker = OnSmallDisk::start("160m");
    let server = broker.address("native").to_owned();
    let onrush = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--server", &server]);
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let run_here = |arguments: &[&str], input: &[u8]| {
        let all = onrush(arguments);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run_with_input("onrush", &all, input)
    };
    run_here(&["topic", "create", "small"], b"").succeeded();
    run_here(&["produce", "small"], b"one\ntwo\n").succeeded();
    run_here(&["topic", "create", "large"], b"").succeeded();

    // 250 MB do not fit: the load waits, and says nothing is lost.
    let load = ["run", "--json", "--target", &server, "--topic", "large", "--size", "1000"];
    let load: Vec<&str> = load.into_iter().chain(["--message-count", "250000"]).collect();
    let load = spawn("onrush-loadgen", &load);
    broker.wait_for("onrush_disk_full", 1.0);

    // Readers read, groups commit, and a producer of another topic waits as well.
    let read = run_here(&["consume", "small", "--from", "start", "--group", "g"], b"");
    assert_eq!(read.succeeded(), "one\ntwo\n");
    assert_eq!(run_here(&["consume", "small", "--group", "g"], b"").succeeded(), "");
    let mut late = spawn(
        "onrush",
        &onrush(&["produce", "small"]).iter().map(String::as_str).collect::<Vec<_>>(),
    );
    late.stdin.take().expect("it is piped").write_all(b"three\n").expect("it listens");
    assert!(late.try_wait().expect("it can be asked").is_none(), "nothing can be written yet");

    // The operator makes room, and everything goes on by itself.
    let pid = i32::try_from(load.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::KILL).expect("it runs");
    let _ = load.wait_with_output();
    run_here(&["topic", "delete", "large"], b"").succeeded();
    broker.wait_for("onrush_disk_full", 0.0);
    assert!(late.wait().expect("it ends").success());
    let all = run_here(&["consume", "small", "--from", "start"], b"").succeeded();
    assert_eq!(all, "one\ntwo\nthree\n");
}

#[test]
fn a_read_only_disk_is_named_as_such() {
    if !can_mount() {
        return;
    }
    let output = in_namespace(
        "mount -t tmpfs none /mnt && mkdir /mnt/data && mount -o remount,ro /mnt && \
         exec \"$1\" serve --data /mnt/data --native 127.0.0.1:0 --no-kafka",
    )
    .output()
    .expect("unshare can be started");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("/mnt/data") && told.to_lowercase().contains("read-only"), "{told}");
}

fn refused(data: &Path, words: &[&str]) {
    let data = data.to_str().expect("text");
    let finished =
        run("onrush", &["serve", "--data", data, "--native", "127.0.0.1:0", "--no-kafka"]);
    assert_eq!(finished.status, 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word:?} is not in {:?}", finished.stderr);
    }
}

#[test]
fn a_directory_that_is_not_ours_or_newer_is_left_alone() {
    let scratch = tempfile::tempdir().expect("a fresh directory");
    let foreign = scratch.path().join("letters");
    std::fs::create_dir(&foreign).expect("it can be made");
    std::fs::write(foreign.join("letter.txt"), "dear").expect("it can be written");
    refused(&foreign, &["letter.txt"]);
    assert_eq!(std::fs::read(foreign.join("letter.txt")).expect("it is there"), b"dear");

    let file = scratch.path().join("file");
    std::fs::write(&file, "no directory").expect("it can be written");
    refused(&file, &[file.to_str().expect("text")]);

    let newer = scratch.path().join("newer");
    assert!(BrokerProcess::start(ServeOptions::at(&newer)).stop().success());
    let format: PathBuf = newer.join("format");
    let mut bytes = std::fs::read(&format).expect("it is there");
    bytes[8] = 9;
    std::fs::write(&format, bytes).expect("it can be written");
    refused(&newer, &["9", "newer"]);
}
