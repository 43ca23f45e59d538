//! Where replicas may be: on this node, once.

use onrush_kafka_protocol::ErrorCode;

/// Why an administrative request is refused, as the client is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn invalid_request(message: &str) -> Refused {
        Refused { code: ErrorCode::INVALID_REQUEST, message: message.to_owned() }
    }

    pub(crate) fn placement(message: &str) -> Refused {
        Refused { code: ErrorCode::INVALID_REPLICA_ASSIGNMENT, message: message.to_owned() }
    }
}

/// Checks the replicas a client wants for one partition.
pub(crate) fn check_replicas(node: i32, replicas: &[i32]) -> Result<(), Refused> {
    if replicas.is_empty() {
        return Err(Refused::placement(
            "The manual partition assignment includes an empty replica list.",
        ));
    }
    if let Some(other) = replicas.iter().find(|id| **id != node) {
        return Err(Refused::placement(&format!(
            "The manual partition assignment includes broker {other}, but no such broker is \
             registered."
        )));
    }
    if replicas.len() > 1 {
        return Err(Refused::placement(&format!(
            "The manual partition assignment includes the broker {node} more than once."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_can_only_be_here_and_once() {
        assert_eq!(check_replicas(1, &[1]), Ok(()));
        for replicas in [&[][..], &[2], &[1, 2], &[1, 1]] {
            let refused = check_replicas(1, replicas).unwrap_err();
            assert_eq!(refused.code, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        }
    }
}
