//! Noise, and requests with noise in them: nothing of it hurts anybody. The seed is printed; set
//! `ONRUSH_SEED` to run it again.

use std::net::Shutdown;
use std::time::Duration;

use onrush::Config;
use onrush_sys::{Random as _, SeededRandom, SystemRandom};

use crate::broken::{raw, still_serves};
use crate::socket::{Served, batch, fetch, frame, hello, produce};

/// Bytes that come by chance, the same for the same seed.
struct Chance(SeededRandom);

impl Chance {
    fn new(test: &str) -> Chance {
        let mut seed = [0; 8];
        SystemRandom.fill(&mut seed);
        let given = std::env::var("ONRUSH_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(u64::from_le_bytes(seed));
        println!("{test}: ONRUSH_SEED={seed}");
        Chance(SeededRandom::new(seed))
    }

    fn bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }

    fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % end as u64).unwrap()
    }
}

/// Far longer than an answer takes; what waits longer is a fetch whose time came by chance, with
/// requests behind it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends bytes and takes what is answered, until the broker has closed the connection.
fn exchange(served: &Served, bytes: &[u8]) {
    let mut socket = served.open();
    socket.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The broker may have closed the connection before all is sent.
    let _ = std::io::Write::write_all(&mut socket.stream, bytes);
    let _ = socket.stream.shutdown(Shutdown::Write);
    let mut answered = Vec::new();
    let _ = std::io::Read::read_to_end(&mut socket.stream, &mut answered);
}

#[test]
fn noise_hurts_nobody() {
    let served = Served::new(Config::ephemeral());
    let chance = Chance::new("noise_hurts_nobody");
    for round in 0..400 {
        let noise = chance.bytes(chance.below(2000));
        if round % 2 == 0 {
            exchange(&served, &noise);
        } else {
            // A plausible header before it.
            let key = i16::try_from(chance.below(4)).unwrap();
            let key = if key == 2 { 18 } else { key };
            exchange(&served, &raw(key, i16::try_from(chance.below(19)).unwrap(), &noise));
        }
    }
    still_serves(&served);
}

#[test]
fn sound_requests_with_noise_in_them_hurt_nobody() {
    let served = Served::new(Config::ephemeral());
    let id = served.topic("t", 2);
    let chance = Chance::new("sound_requests_with_noise_in_them_hurt_nobody");
    let record = batch(&[b"one", b"two"]);
    for _ in 0..600 {
        let mut frames = Vec::new();
        for number in 0..3 {
            let mut one = match chance.below(3) {
                0 => frame(&hello(), i16::try_from(chance.below(5)).unwrap(), number),
                1 => {
                    let mut request = fetch("t", &[(0, 0), (1, 0)]);
                    request.topics[0].topic_id = id;
                    frame(&request, 4 + i16::try_from(chance.below(15)).unwrap(), number)
                }
                _ => {
                    let mut request = produce("t", 1, &[(0, &record), (1, &record)]);
                    request.topic_data[0].topic_id = id;
                    frame(&request, 3 + i16::try_from(chance.below(11)).unwrap(), number)
                }
            };
            for _ in 0..chance.below(4) {
                // Behind the length, which has its own test.
                let at = 4 + chance.below(one.len() - 4);
                one[at] = chance.bytes(1)[0];
            }
            if chance.below(8) == 0 {
                one.truncate(4 + chance.below(one.len() - 4));
                let length = u32::try_from(one.len() - 4).unwrap();
                one[..4].copy_from_slice(&length.to_be_bytes());
            }
            frames.extend(one);
        }
        exchange(&served, &frames);
    }
    still_serves(&served);
    let mut socket = served.open();
    socket.produce("t", -1, &[b"last"]);
    let part = socket.fetch("t", 0);
    assert_eq!(part.error_code, 0);
}
