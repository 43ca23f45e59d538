//! Serves metrics and health over HTTP.
//!
//! - `/metrics`: Prometheus's text format;
//! - `/healthz`: 200 as long as the process answers at all;
//! - `/readyz`: 200 while the broker takes work, else 503 and why not.

use std::future::Future;
use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use onrush_broker::Broker;
use tokio::net::TcpListener;

/// Prometheus's text format, as `Content-Type` names it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is served, for use within another server.
pub fn router(broker: Broker) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(broker)
}

/// Serves until `stop` is done.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    broker: Broker,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(broker)).with_graceful_shutdown(stop).await
}

async fn metrics(State(broker): State<Broker>) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], broker.scrape()).into_response()
}

async fn ready(State(broker): State<Broker>) -> Response {
    if broker.ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting, or stopping\n").into_response()
    }
}
