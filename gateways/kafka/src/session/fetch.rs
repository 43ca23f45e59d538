//! Fetch: answered at once when there is enough, otherwise when there is or time is up. Fetch
//! sessions are not offered: every answer is whole, and says so by the session id 0.

mod answer;
mod source;

use std::time::Duration;

use onrush_broker::{Allowance, QuotaKind, Warming};
use onrush_gateway_net::Conversation as _;
use onrush_kafka_protocol::messages::FetchRequest;
use onrush_kafka_protocol::{ApiKey, ErrorCode, Message as _, Reader, TopicRef};

use self::answer::Found;
use self::source::Source;
use super::frame::Head;
use super::queue::Running;
use super::topic::{Found as FoundTopic, Named};
use super::{Session, Unreadable, kind};

/// Topics have ids instead of names from this version on.
const IDS_FROM: i16 = 13;
/// What the isolation level says of who wants committed records only.
const READ_COMMITTED: i8 = 1;
/// The epoch of a whole fetch that begins a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a whole fetch that wants none.
const FINAL_EPOCH: i32 = -1;

/// A fetch without its answer.
pub(super) struct Fetch {
    head: Head,
    min_bytes: u64,
    max_bytes: u32,
    since: Duration,
    deadline: Duration,
    /// The topics, and how many partitions of each are read.
    topics: Vec<(Named, usize)>,
    /// The partitions, topic by topic.
    sources: Vec<Source>,
    /// The answer, while some of it is brought into memory.
    cold: Option<Cold>,
}

struct Cold {
    found: Found,
    waiting: Vec<Warming>,
}

impl Fetch {
    /// When it is answered whatever there is. What is found already, and being brought into
    /// memory, is waited for as long as that takes.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.cold.is_none().then_some(self.deadline)
    }
}

impl Session {
    /// Begins a fetch.
    pub(super) fn fetch(&mut self, head: Head, body: &[u8]) {
        let request = match FetchRequest::decode(&mut Reader::new(body), head.version) {
            Ok(request) => request,
            Err(error) => return self.close(&Unreadable(head, &error)),
        };
        if let Some(code) = session_error(&request) {
            return self.send(answer::refused(head, code).map(|frame| (frame, Vec::new())));
        }
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let max_bytes = u32::try_from(request.max_bytes).unwrap_or(0);
        let max_bytes = max_bytes.min(self.context.options.fetch_bytes_max);
        let allowance = self.context.allowance();
        let allowed = allowance.map_or(u64::MAX, |allowance| allowance.bytes);
        let max_bytes = max_bytes.min(u32::try_from(allowed).unwrap_or(u32::MAX));
        // Not more than there may be, or it would always wait until time is up.
        let min_bytes = u32::try_from(request.min_bytes).unwrap_or(0).min(max_bytes);
        let committed = request.isolation_level == READ_COMMITTED;
        let since = self.context.now();
        let mut fetch = Fetch {
            head,
            min_bytes: u64::from(min_bytes),
            max_bytes,
            since,
            deadline: since.saturating_add(wait),
            topics: Vec::with_capacity(request.topics.len()),
            sources: Vec::new(),
            cold: None,
        };
        for of_topic in request.topics {
            let asked = if head.version >= IDS_FROM {
                TopicRef::Id(of_topic.topic_id)
            } else {
                TopicRef::Name(&of_topic.topic)
            };
            let topic = FoundTopic::find(&self.context.broker, asked);
            let sources = of_topic
                .partitions
                .iter()
                .map(|asked| Source::new(asked, topic.partition(asked.partition), committed));
            fetch.sources.extend(sources);
            fetch.topics.push((topic.named, of_topic.partitions.len()));
        }
        if let Some(Allowance { owed, .. }) = allowance
            && !owed.is_zero()
        {
            return self.give_nothing(&fetch, owed);
        }
        let at_once = wait.is_zero() || fetch.sources.is_empty();
        if !self.try_answer(&mut fetch, at_once) {
            if let Some(deadline) = fetch.deadline() {
                self.note_deadline(deadline);
            }
            self.queue.begin(Running::Fetch(Box::new(fetch)));
        }
    }

    /// Looks again at a fetch that waits, if there is one; answers it anyway if `now`.
    pub(super) fn progress_fetch(&mut self, now: bool) {
        let Some(Running::Fetch(_)) = self.queue.running.front() else { return };
        let Some(Running::Fetch(mut fetch)) = self.queue.finish() else { return };
        let late = now || self.context.now() >= fetch.deadline;
        if !self.try_answer(&mut fetch, late) {
            self.queue.begin(Running::Fetch(fetch));
        }
    }

    /// Answers if there is enough or `late`; true when the fetch is done with.
    fn try_answer(&mut self, fetch: &mut Fetch, late: bool) -> bool {
        let found = match fetch.cold.take() {
            Some(Cold { found, mut waiting }) => {
                waiting.retain(|warming| !warming.is_done());
                if !waiting.is_empty() {
                    fetch.cold = Some(Cold { found, waiting });
                    return false;
                }
                found
            }
            None => {
                fetch.sources.iter_mut().for_each(|source| source.cut = true);
                let found = Found::read(&mut fetch.sources, fetch.max_bytes);
                // Whole batches are read, so that what is asked for may be more than what fits.
                let is_all = fetch.sources.iter().all(|source| !source.cut);
                if found.bytes < fetch.min_bytes && is_all && !found.failed && !late {
                    fetch.sources.iter_mut().for_each(|source| source.wait(&self.signal));
                    return false;
                }
                match self.warm(fetch, found) {
                    Some(found) => found,
                    None => return false,
                }
            }
        };
        let throttle_time_ms = self.context.charge(QuotaKind::Fetch, found.bytes);
        self.answer_fetch(fetch, found, throttle_time_ms);
        true
    }

    /// Answers a client that owes for what it was given before, as Kafka does: without records.
    fn give_nothing(&mut self, fetch: &Fetch, owed: Duration) {
        let throttle_time_ms = self.context.mute(QuotaKind::Fetch, owed);
        let nothing = Found::nothing(&fetch.sources);
        self.answer_fetch(fetch, nothing, throttle_time_ms);
    }

    fn answer_fetch(&mut self, fetch: &Fetch, found: Found, throttle_time_ms: i32) {
        self.note_mute();
        self.send(found.encode(fetch.head, &fetch.topics, throttle_time_ms));
        let took = self.context.now().saturating_sub(fetch.since);
        self.meter.answered(kind(ApiKey::FETCH), took);
    }

    /// Has what is not in memory brought there; gives back what needs no waiting.
    fn warm(&self, fetch: &mut Fetch, found: Found) -> Option<Found> {
        // What is read where the log ended when the fetch began to wait has just been written.
        if fetch.sources.iter().all(Source::waited_at_the_end) {
            return Some(found);
        }
        let mut waiting = Vec::new();
        for slice in found.slices().filter(|slice| !slice.is_cached()) {
            // With the queue full the range is read by whoever sends it: late beats never.
            waiting.extend(self.context.broker.warm(slice.clone(), &self.signal));
        }
        if waiting.is_empty() {
            return Some(found);
        }
        fetch.cold = Some(Cold { found, waiting });
        None
    }

    fn send(&mut self, answer: answer::Encoded) {
        match answer {
            Ok((frame, splices)) => answer::put(&mut self.outbox, &frame, splices),
            Err(error) => self.close(&error),
        }
    }
}

/// What is wrong with the fetch session that a request goes on with: there are none. A whole fetch
/// goes on with none, and ends the one it names; one that is gone is as good as ended.
fn session_error(request: &FetchRequest) -> Option<ErrorCode> {
    match request.session_epoch {
        INITIAL_EPOCH | FINAL_EPOCH => None,
        _ => Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
    }
}

#[cfg(test)]
mod tests;
