//! From the bytes of a request to the bytes of its response, by way of a handler.

use std::future::Future;
use std::pin::Pin;

use onrush_kafka_protocol::{
    ApiKey, DecodeError, EncodeError, Message, Reader, RequestHeader, response_frame,
};

/// What is served of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Which.
    pub(crate) key: ApiKey,
    /// The oldest version that clients are told of.
    pub(crate) advertised: i16,
    /// The oldest version served.
    pub(crate) min: i16,
    /// The newest version.
    pub(crate) max: i16,
}

/// A request that is being handled: ends in a whole response frame.
pub(crate) type Call = Pin<Box<dyn Future<Output = Result<Vec<u8>, EncodeError>>>>;

/// A request as a handler takes it.
pub(crate) fn decode<M: Message>(header: &RequestHeader, body: &[u8]) -> Result<M, DecodeError> {
    // Bytes left over are passed over, as Kafka does.
    M::decode(&mut Reader::new(body), header.api_version)
}

/// The frame of a response.
pub(crate) fn encode<M: Message>(
    header: &RequestHeader,
    response: &M,
) -> Result<Vec<u8>, EncodeError> {
    let mut frame = Vec::with_capacity(128);
    response_frame(response, header.api_version, header.correlation_id, &mut frame)?;
    Ok(frame)
}

/// The table of what is served: for each API its key, versions, request and handler. Makes of it
/// what `ApiVersions` tells ([`SERVED`](crate::served::SERVED)) and what dispatch does.
macro_rules! serve {
    (
        by the session { $($own:ident $shown:literal ($own_min:literal) ..= $own_max:literal,)* }
        $($key:ident $min:literal ..= $max:literal $request:ident => $($handler:ident)::+,)*
    ) => {
        /// Everything that is served.
        pub(crate) const SERVED: &[$crate::dispatch::Served] = &[
            $($crate::dispatch::Served {
                key: onrush_kafka_protocol::ApiKey::$own,
                advertised: $shown,
                min: $own_min,
                max: $own_max,
            },)*
            $($crate::dispatch::Served {
                key: onrush_kafka_protocol::ApiKey::$key,
                advertised: $min,
                min: $min,
                max: $max,
            },)*
        ];

        /// Begins to handle a request whose version is served; nothing if the session does itself.
        pub(crate) fn call(
            context: &std::rc::Rc<$crate::context::Context>,
            header: onrush_kafka_protocol::RequestHeader,
            body: &[u8],
        ) -> Result<Option<$crate::dispatch::Call>, onrush_kafka_protocol::DecodeError> {
            let key = onrush_kafka_protocol::ApiKey(header.api_key);
            $(
                if key == onrush_kafka_protocol::ApiKey::$key {
                    let request: onrush_kafka_protocol::messages::$request =
                        $crate::dispatch::decode(&header, body)?;
                    let context = std::rc::Rc::clone(context);
                    return Ok(Some(Box::pin(async move {
                        let handler = $crate::handle::$($handler)::+;
                        let response = handler(&context, &header, request).await;
                        $crate::dispatch::encode(&header, &response)
                    })));
                }
            )*
            Ok(None)
        }
    };
}
pub(crate) use serve;
