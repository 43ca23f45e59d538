//! Which key each message has.

use std::fmt;
use std::str::FromStr;

/// How keys are chosen.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub enum Distribution {
    /// No key.
    #[default]
    None,
    /// Each of that many keys as often as any other.
    Uniform(u32),
    /// Of that many keys, the k-th in rank about 1/kˢ as often as the first.
    Zipf {
        /// How many keys there are.
        keys: u32,
        /// The exponent s.
        exponent: f64,
    },
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Distribution, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let keys = parts.next().unwrap_or("10000").replace('_', "");
        let keys = keys.parse().ok().filter(|keys| *keys > 0);
        let keys = keys.ok_or_else(|| format!("{text:?}: how many keys must be 1 or more"));
        let exponent = parts.next().unwrap_or("1").parse::<f64>().ok().filter(|s| s.is_finite());
        match (name, exponent, parts.next()) {
            ("none", _, None) if text == name => Ok(Distribution::None),
            ("uniform", _, None) if text.matches(':').count() < 2 => {
                Ok(Distribution::Uniform(keys?))
            }
            ("zipf", Some(exponent), None) => Ok(Distribution::Zipf { keys: keys?, exponent }),
            _ => Err(format!("{text:?} is not none, uniform[:KEYS] or zipf[:KEYS[:EXPONENT]]")),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::None => f.write_str("none"),
            Distribution::Uniform(keys) => write!(f, "uniform:{keys}"),
            Distribution::Zipf { keys, exponent } => write!(f, "zipf:{keys}:{exponent}"),
        }
    }
}

/// An endless run of keys; the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Keys {
    state: u64,
    draw: Draw,
    text: [u8; 10],
}

#[derive(Clone, Debug)]
enum Draw {
    None,
    Uniform(u32),
    /// Vose's alias table: one draw and one comparison however many keys there are.
    Alias(Vec<(u32, u32)>),
}

impl Keys {
    /// Keys of that distribution.
    #[must_use]
    pub fn new(distribution: Distribution, seed: u64) -> Keys {
        let draw = match distribution {
            Distribution::None => Draw::None,
            Distribution::Uniform(keys) => Draw::Uniform(keys),
            Distribution::Zipf { keys, exponent } => Draw::Alias(alias_table(keys, exponent)),
        };
        Keys { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, draw, text: *b"k000000000" }
    }

    /// The key that was drawn last: `k` and nine digits.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        match self.draw {
            Draw::None => None,
            Draw::Uniform(_) | Draw::Alias(_) => Some(&self.text),
        }
    }

    /// Draws the next key.
    pub fn advance(&mut self) {
        let index = match self.draw {
            Draw::None => return,
            Draw::Uniform(keys) => scaled(self.random(), keys),
            Draw::Alias(_) => self.draw_alias(),
        };
        let mut rest = index;
        for digit in self.text[1..].iter_mut().rev() {
            *digit = b'0' + (rest % 10).to_le_bytes()[0];
            rest /= 10;
        }
    }

    fn draw_alias(&mut self) -> u32 {
        let (column, height) = (self.random(), self.random());
        let Draw::Alias(table) = &self.draw else { return 0 };
        let column = scaled(column, u32::try_from(table.len()).unwrap_or(u32::MAX));
        let (threshold, alias) = table[column as usize];
        if height < threshold { column } else { alias }
    }

    /// 32 bits of xorshift64*.
    fn random(&mut self) -> u32 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let mixed = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        u32::try_from(mixed >> 32).unwrap_or(0)
    }
}

/// Maps 32 random bits evenly onto `0..bound`.
fn scaled(random: u32, bound: u32) -> u32 {
    u32::try_from((u64::from(random) * u64::from(bound)) >> 32).unwrap_or(0)
}

#[allow(clippy::cast_possible_truncation, reason = "a float-to-integer cast saturates")]
fn alias_table(keys: u32, exponent: f64) -> Vec<(u32, u32)> {
    let weights: Vec<f64> = (1..=keys).map(|rank| f64::from(rank).powf(-exponent)).collect();
    let mean = weights.iter().sum::<f64>() / f64::from(keys);
    let mut share: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
    let (mut small, mut large): (Vec<u32>, Vec<u32>) =
        (0..keys).partition(|key| share[*key as usize] < 1.0);
    let mut table: Vec<(u32, u32)> = (0..keys).map(|key| (u32::MAX, key)).collect();
    while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
        table[low as usize] = ((share[low as usize] * f64::from(u32::MAX)) as u32, high);
        share[high as usize] -= 1.0 - share[low as usize];
        if share[high as usize] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_parse_and_print() {
        for text in ["none", "uniform:7", "zipf:100:1.5"] {
            assert_eq!(text.parse::<Distribution>().unwrap().to_string(), text);
        }
        assert_eq!("uniform".parse(), Ok(Distribution::Uniform(10_000)));
        for wrong in ["", "nine", "none:3", "uniform:0", "uniform:1:1", "zipf:1:x", "zipf:1:1:1"] {
            assert!(wrong.parse::<Distribution>().is_err(), "{wrong:?}");
        }
    }

    fn counts(distribution: Distribution, draws: u32) -> Vec<u32> {
        let mut keys = Keys::new(distribution, 42);
        let mut counts = vec![0; 10];
        for _ in 0..draws {
            keys.advance();
            let key = std::str::from_utf8(keys.key().unwrap()).unwrap();
            counts[key[1..].parse::<usize>().unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn uniform_keys_come_equally_often() {
        let counts = counts(Distribution::Uniform(10), 100_000);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_come_as_their_rank_says() {
        let counts = counts(Distribution::Zipf { keys: 10, exponent: 1.0 }, 292_897);
        // The harmonic number of 10 is 2.92897, so rank k is due 100,000 / k times.
        for (rank, count) in (1_u32..).zip(&counts) {
            let due = 100_000 / rank;
            assert!(count.abs_diff(due) < due / 20, "rank {rank}: {count} of {due}");
        }
    }
}
