//! Moving frames: transports, connections that last, requests and their answers.

mod driver;
mod handshake;
pub(crate) mod link;
mod receive;
pub(crate) mod reply;
mod tcp;

pub(crate) use driver::Sending;
pub use tcp::TcpConnector;
