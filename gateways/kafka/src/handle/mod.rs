//! What requests come to, one module for each area: requests in, broker calls, responses out. No
//! handler knows a socket, and none runs beside another of the same connection.

pub(crate) mod api_versions;
