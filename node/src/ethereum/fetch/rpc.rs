//! Requests to a node: repeated where that can help, refused with a reason where it cannot.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_provider::transport::{RpcError as AlloyError, TransportError, TransportErrorKind};
use alloy_provider::{Provider, ProviderBuilder, RootProvider, network};
use reqwest::redirect;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::FetchSettings;

/// More than a node lets one client have at a time would only be refused.
const AT_ONCE: usize = 8;

/// However often a request has failed, and whatever the node asks for, it is repeated after so long at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is quoted of an answer that makes no sense.
const QUOTED: usize = 200;

/// A node's address for people to read: without its path and its user, which often are a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    pub(super) fn of(url: &Url) -> Self {
        let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            text += &format!(":{port}");
        }
        if url.path() != "/" || url.query().is_some() {
            text += "/…";
        }
        Self(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request without an answer.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {method}: {failure}{}", tried(*.attempts))]
pub struct RpcError {
    /// The node.
    pub url: Endpoint,
    /// The method.
    pub method: &'static str,
    /// How often it was asked.
    pub attempts: u32,
    /// What the last attempt gave.
    pub failure: RpcFailure,
}

fn tried(attempts: u32) -> String {
    if attempts == 1 { String::new() } else { format!(" (after {attempts} attempts)") }
}

/// What a request gives instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcFailure {
    /// The node has answered that it will not.
    #[error("the node refuses: {message} (code {code})")]
    Refused {
        /// JSON-RPC's.
        code: i64,
        /// The node's own words.
        message: String,
    },
    /// The server has answered ahead of the node.
    #[error("HTTP status {status}{}", quoted(.body))]
    Status {
        /// HTTP's.
        status: u16,
        /// What came with it.
        body: String,
    },
    /// There was no whole answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// There was no connection, or not for long enough.
    #[error("{0}")]
    Connection(String),
    /// What came is not JSON-RPC.
    #[error("the answer is not JSON-RPC: {reason}{}", quoted(.body))]
    NotJsonRpc {
        /// What is wrong with it.
        reason: String,
        /// How it begins.
        body: String,
    },
    /// The method gives something else.
    #[error("the answer is not what the method gives: {0}")]
    Unexpected(String),
}

fn quoted(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() {
        return String::new();
    }
    let short: String = body.chars().take(QUOTED).collect();
    let more = if short.len() < body.len() { "…" } else { "" };
    format!(": {short}{more}")
}

/// What is to be done about a failure.
struct Verdict {
    failure: RpcFailure,
    again: bool,
    /// What the server asks for.
    pause: Option<Duration>,
}

/// A node.
#[derive(Debug, Clone)]
pub(super) struct Rpc {
    provider: RootProvider<network::Ethereum>,
    url: Endpoint,
    retries: u32,
    timeout: Duration,
    backoff: Duration,
    turns: Arc<Semaphore>,
    requests: Arc<AtomicU64>,
}

impl Rpc {
    pub(super) fn new(url: &Url, settings: &FetchSettings) -> Result<Self, String> {
        // Who has chosen another one keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .timeout(settings.timeout)
            // A redirected POST comes back as a GET.
            .redirect(redirect::Policy::none());
        if is_local(url) {
            client = client.no_proxy();
        }
        if url.scheme() == "http" {
            // A machine without any certificates is good enough for it.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| with_causes(&error))?;
        let provider = ProviderBuilder::<_, _, network::Ethereum>::default().connect_reqwest(client, url.clone());
        Ok(Self {
            provider,
            url: Endpoint::of(url),
            retries: settings.retries,
            timeout: settings.timeout,
            backoff: settings.backoff,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            requests: Arc::default(),
        })
    }

    pub(super) fn url(&self) -> &Endpoint {
        &self.url
    }

    /// Requests so far, with those that were repeated.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer, or no use in asking.
    pub(super) async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, RpcError> {
        // Held over the pauses: a node that is asked too often is asked less.
        let turn = self.turns.acquire().await;
        let mut attempts = 0;
        let answer = loop {
            attempts += 1;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let answer: Result<Box<RawValue>, TransportError> =
                self.provider.raw_request(method.into(), params.clone()).await;
            let error = match answer {
                Ok(answer) => break answer,
                Err(error) => error,
            };
            let Verdict { failure, again, pause } = self.judge(error);
            if !again || attempts > self.retries {
                return Err(RpcError { url: self.url.clone(), method, attempts, failure });
            }
            let pause = pause.unwrap_or_else(|| self.pause_after(attempts)).min(LONGEST_PAUSE);
            tracing::info!(method, attempts, ?pause, "{failure}: asking again");
            tokio::time::sleep(pause).await;
        };
        drop(turn);
        serde_json::from_str(answer.get()).map_err(|error| {
            let failure = RpcFailure::Unexpected(error.to_string());
            RpcError { url: self.url.clone(), method, attempts, failure }
        })
    }

    /// Twice as long every time, and up to half of it less: requests that were refused together do not come back together.
    fn pause_after(&self, attempts: u32) -> Duration {
        let longest = self.backoff.saturating_mul(1 << (attempts - 1).min(16));
        longest.min(LONGEST_PAUSE).mul_f64(rand::random_range(0.5..=1.0))
    }

    fn judge(&self, error: TransportError) -> Verdict {
        let permanent = |failure| Verdict { failure, again: false, pause: None };
        let passing = |failure| Verdict { failure, again: true, pause: None };
        match error {
            AlloyError::ErrorResp(payload) => {
                let again = payload.is_retry_err();
                let failure = RpcFailure::Refused { code: payload.code, message: payload.message.into_owned() };
                Verdict { failure, again, pause: None }
            }
            AlloyError::Transport(TransportErrorKind::Custom(error)) => match error.downcast::<reqwest::Error>() {
                Ok(error) => passing(self.connection(*error)),
                Err(error) => passing(RpcFailure::Connection(with_causes(&*error))),
            },
            AlloyError::Transport(kind) => match kind.as_http_error() {
                Some(error) => {
                    let failure = RpcFailure::Status { status: error.status, body: error.body.clone() };
                    // Request timeout, too many requests, and whatever is the server's own fault but this it cannot do.
                    let again = matches!(error.status, 408 | 429 | 500..) && error.status != 501;
                    Verdict { failure, again, pause: kind.retry_after() }
                }
                None => permanent(RpcFailure::Connection(with_causes(&kind))),
            },
            // Cut off, or from something between here and the node.
            AlloyError::DeserError { err, text } => {
                passing(RpcFailure::NotJsonRpc { reason: err.to_string(), body: text })
            }
            AlloyError::NullResp => permanent(RpcFailure::Unexpected("null".to_owned())),
            other => permanent(RpcFailure::Unexpected(with_causes(&other))),
        }
    }

    fn connection(&self, error: reqwest::Error) -> RpcFailure {
        if error.is_timeout() {
            return RpcFailure::Timeout(self.timeout);
        }
        // Its text would have the whole URL.
        RpcFailure::Connection(with_causes(&error.without_url()))
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// An error with what has led to it: the last one is what a person can act on.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text += &format!(": {next}");
        }
        cause = error.source();
    }
    text
}
