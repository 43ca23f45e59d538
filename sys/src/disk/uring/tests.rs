use super::*;
use crate::TempDir;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// Of each file: enough for several appends of the largest size.
const ROOM: u64 = 16 << 20;
/// Bytes that each way writes in a round.
const BYTES: u64 = 64 << 20;

/// One ring with its files, and memory to write from, registered.
struct Registered {
    ring: IoUring,
    memory: Vec<u8>,
}

impl Registered {
    fn new(files: &[RawFd], len: usize) -> io::Result<Registered> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(ENTRIES)
            .or_else(|_| IoUring::new(ENTRIES))?;
        let mut memory = vec![7; len];
        let registered = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: len };
        // SAFETY: the memory is neither moved nor given back before the ring.
        unsafe { ring.submitter().register_buffers(&[registered]) }?;
        ring.submitter().register_files(files)?;
        Ok(Registered { ring, memory })
    }

    /// Writes all the memory into each of the first `files`, at once.
    fn write(&mut self, files: usize, position: u64, fixed_memory: bool) {
        let (start, len) = (self.memory.as_ptr(), u32::try_from(self.memory.len()).unwrap());
        for file in 0..u32::try_from(files).unwrap() {
            let file = types::Fixed(file);
            let entry = match fixed_memory {
                true => opcode::WriteFixed::new(file, start, len, 0).offset(position).build(),
                false => opcode::Write::new(file, start, len).offset(position).build(),
            };
            // SAFETY: nobody writes to the memory, and it stays until all is answered, below.
            unsafe { self.ring.submission().push(&entry) }.unwrap();
        }
        let mut answers = 0;
        while answers < files {
            self.ring.submit_and_wait(files - answers).unwrap();
            for done in self.ring.completion() {
                assert_eq!(u32::try_from(done.result()), Ok(len));
                answers += 1;
            }
        }
    }
}

#[test]
#[ignore = "measures; buffered writes by calls and by rings"]
fn measure_registered() {
    let dir = TempDir::new_in(&std::env::current_dir().unwrap(), "onrush-write").unwrap();
    let plain = PlainDisk::open(dir.path()).unwrap();
    let uring = match UringDisk::over(PlainDisk::open(dir.path()).unwrap()) {
        Ok(disk) => disk,
        Err((_, error)) => return eprintln!("skipped: this machine has no io_uring: {error}"),
    };
    let open = |disk: &dyn Disk, file: usize| {
        let file = disk.open(Path::new(&format!("f{file}")), OpenMode::Create).unwrap();
        let zeros = vec![0; usize::try_from(ROOM).unwrap()];
        file.write_all_at(&mut [IoSlice::new(&zeros)], 0).unwrap();
        file.sync_data().unwrap();
        file
    };
    println!("µs (and µs of CPU, its kernel threads' included) for one write to each file");
    println!(
        "round  files x    bytes: {:>18} {:>18} {:>18} {:>18}",
        "pwritev", "ring writev", "fixed file", "fixed file, memory"
    );
    for (files, len) in [(1, 4 << 10), (16, 4 << 10), (1, 64 << 10), (1, 256 << 10), (1, 1 << 20)] {
        let called: Vec<_> = (0..files).map(|file| open(&plain, file)).collect();
        let ringed: Vec<_> = (0..files).map(|file| open(&uring, file)).collect();
        let raw: Vec<_> =
            called.iter().map(|file| file.descriptor().unwrap().as_raw_fd()).collect();
        let mut registered = Registered::new(&raw, len).unwrap();
        let bytes = vec![7; len];
        let times = BYTES / (len * files) as u64;
        // The first warms up.
        for round in 0..6 {
            let mut line = format!("{round:5}  {files:5} x {len:8}:");
            for way in 0..4 {
                let cpu_before = crate::process::cpu_time(None).unwrap();
                let start = Instant::now();
                for time in 0..times {
                    let position = time * len as u64 % ROOM;
                    let each = |files: &[Arc<dyn File>]| {
                        for file in files {
                            file.write_all_at(&mut [IoSlice::new(&bytes)], position).unwrap();
                        }
                    };
                    match way {
                        0 => each(&called),
                        1 => each(&ringed),
                        way => registered.write(files, position, way == 3),
                    }
                }
                let of_one = |time: Duration| time.as_secs_f64() * 1e6 / times as f64;
                let took = of_one(start.elapsed());
                let cpu = of_one(crate::process::cpu_time(None).unwrap() - cpu_before);
                line += &format!(" {:>18}", format!("{took:.1} ({cpu:.1})"));
            }
            if round > 0 {
                println!("{line}");
            }
        }
    }
}
