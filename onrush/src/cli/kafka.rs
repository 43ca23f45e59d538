//! Where `onrush serve` listens for Kafka clients, and what it tells them of that.

use onrush::KafkaListener;

/// Where it listens unless told otherwise.
pub(crate) const DEFAULT_KAFKA: &str = "127.0.0.1:9092";

/// The name of a listener that is given none.
const UNNAMED: &str = "PLAINTEXT";

/// The listeners: `[NAME://]HOST:PORT` each, and what is advertised of them in the same form.
pub(crate) fn listeners(
    listeners: &[String],
    advertised: &[String],
) -> Result<Vec<KafkaListener>, String> {
    let mut all: Vec<KafkaListener> = Vec::new();
    for (name, address) in entries(listeners) {
        if all.iter().any(|listener| listener.name == name) {
            return Err(format!(
                "two Kafka listeners are named {name}; name them, as in \
                 LOCAL://127.0.0.1:9092,DOCKER://0.0.0.0:29092"
            ));
        }
        all.push(KafkaListener { name: name.to_owned(), ..KafkaListener::at(address) });
    }
    for (name, address) in entries(advertised) {
        let parts =
            address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = parts.filter(|(host, _)| !host.is_empty()) else {
            return Err(format!("{address:?} is no address to advertise; write it as host:port"));
        };
        let Some(listener) = all.iter_mut().find(|listener| listener.name == name) else {
            return Err(format!(
                "{address} is advertised for a Kafka listener {name}, but there is none of that name"
            ));
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        listener.advertised = Some((host.to_owned(), port));
    }
    Ok(all)
}

/// What is advertised of those listeners.
pub(crate) fn of(listeners: &[String], advertised: &[String]) -> Vec<String> {
    let there = |name: &str| entries(listeners).any(|(other, _)| other == name);
    entries(advertised)
        .filter(|(name, _)| there(name))
        .map(|(name, address)| format!("{name}://{address}"))
        .collect()
}

/// Names and addresses; what is separated by commas counts as several, as with Kafka.
fn entries(texts: &[String]) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().flat_map(|text| text.split(',')).map(|text| {
        let text = text.trim();
        text.split_once("://").unwrap_or((UNNAMED, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(listening: &[&str], told: &[&str]) -> Result<Vec<KafkaListener>, String> {
        let owned =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        listeners(&owned(listening), &owned(told))
    }

    #[test]
    fn a_plain_address_is_the_usual_listener() {
        assert_eq!(parse(&["127.0.0.1:0"], &[]).unwrap(), [KafkaListener::at("127.0.0.1:0")]);
        assert_eq!(parse(&[], &[]).unwrap(), []);
    }

    #[test]
    fn listeners_are_advertised_by_name() {
        let told = ["DOCKER://host.docker.internal:29092"];
        let all = parse(&["LOCAL://127.0.0.1:9092,DOCKER://0.0.0.0:29092"], &told).unwrap();
        let names: Vec<_> = all.iter().map(|listener| &*listener.name).collect();
        assert_eq!(names, ["LOCAL", "DOCKER"]);
        assert_eq!(all[0].advertised, None);
        assert_eq!(all[1].advertised, Some(("host.docker.internal".to_owned(), 29092)));
        let all = parse(&["[::1]:9092"], &["[::1]:19092"]).unwrap();
        assert_eq!(all[0].advertised, Some(("::1".to_owned(), 19092)));
    }

    #[test]
    fn what_is_advertised_of_other_listeners_is_left_out() {
        let told = ["DOCKER://host.docker.internal:29092, here:9092".to_owned()];
        let of = |listener: &str| of(&[listener.to_owned()], &told);
        assert_eq!(of("127.0.0.1:0"), ["PLAINTEXT://here:9092"]);
        assert_eq!(of("DOCKER://0.0.0.0:1"), ["DOCKER://host.docker.internal:29092"]);
        assert!(of("LOCAL://127.0.0.1:0").is_empty());
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert!(parse(&["a:1", "b:2"], &[]).unwrap_err().contains("two Kafka listeners"));
        assert!(parse(&["a:1"], &["X://b:2"]).unwrap_err().contains("none of that name"));
        assert!(parse(&["a:1"], &["nowhere"]).unwrap_err().contains("host:port"));
    }
}
