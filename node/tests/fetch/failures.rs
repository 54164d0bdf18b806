//! What goes wrong between here and a node: how often it is asked, what is said of it, and that no file is left.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use weft_node::ethereum::fetch::{FetchError, FetchSettings, Fetcher, RpcFailure};
use weft_node::ethereum::file::BlockFile;

use super::fixtures;
use super::http::{Reply, Server};

fn impatient() -> FetchSettings {
    let (timeout, backoff) = (Duration::from_secs(20), Duration::from_millis(1));
    FetchSettings { retries: 2, timeout, backoff, ..FetchSettings::default() }
}

/// What connecting to a server gives that always replies the same, with how often it was asked.
async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (String, RpcFailure, u32) {
    let server = Server::start(move |_, _, _| reply());
    let error = Fetcher::connect(&server.url, &impatient()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: eth_chainId: ", server.url)), "{text}");
    let FetchError::Rpc(error) = error else { panic!("{error}") };
    assert_eq!(error.attempts as usize, server.asked("eth_chainId"));
    (text, error.failure, error.attempts)
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_no_more_often_than_allowed() {
    let busy =
        || Reply::Http { status: "429 Too Many Requests", headers: "Retry-After: 0\r\n", body: "slow down".into() };
    let (text, failure, attempts) = always(busy).await;
    assert_eq!((failure, attempts), (RpcFailure::Status { status: 429, body: "slow down".into() }, 3));
    assert!(text.ends_with("HTTP status 429: slow down (after 3 attempts)"), "{text}");

    let down = || Reply::Http { status: "502 Bad Gateway", headers: "", body: String::new() };
    let (text, _, attempts) = always(down).await;
    assert_eq!(attempts, 3);
    assert!(text.ends_with("HTTP status 502 (after 3 attempts)"), "{text}");

    for broken in [|| Reply::CutOff, || Reply::Close] {
        let (text, failure, attempts) = always(broken).await;
        assert!(matches!(failure, RpcFailure::Connection(_)), "{failure:?}");
        assert_eq!(attempts, 3);
        assert!(
            text.ends_with(" (after 3 attempts)") && text.contains("connection closed") | text.contains("end of file"),
            "{text}"
        );
    }

    let page = || Reply::Http { status: "200 OK", headers: "", body: "<html>back soon".into() };
    let (text, failure, attempts) = always(page).await;
    assert!(matches!(failure, RpcFailure::NotJsonRpc { .. }), "{failure:?}");
    assert_eq!(attempts, 3);
    assert!(text.contains("the answer is not JSON-RPC: ") && text.contains(": <html>back soon"), "{text}");

    let limited = || Reply::Error { code: -32005, message: "rate limit" };
    let (_, failure, attempts) = always(limited).await;
    assert_eq!((failure, attempts), (RpcFailure::Refused { code: -32005, message: "rate limit".into() }, 3));
}

#[tokio::test]
async fn what_will_not_pass_is_asked_once() {
    let (text, failure, attempts) = always(|| Reply::Error { code: -32601, message: "method not found" }).await;
    assert_eq!((failure, attempts), (RpcFailure::Refused { code: -32601, message: "method not found".into() }, 1));
    assert!(text.ends_with("the node refuses: method not found (code -32601)"), "{text}");

    let unauthorised = || Reply::Http { status: "401 Unauthorized", headers: "", body: "no key".into() };
    let (text, _, attempts) = always(unauthorised).await;
    assert_eq!(attempts, 1);
    assert!(text.ends_with("HTTP status 401: no key"), "{text}");

    let (text, failure, attempts) = always(|| Reply::Result(json!("one"))).await;
    assert!(matches!(failure, RpcFailure::Unexpected(_)), "{failure:?}");
    assert_eq!(attempts, 1);
    assert!(text.contains("the answer is not what the method gives: "), "{text}");
}

#[tokio::test]
async fn nobody_there_and_nobody_answering() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Fetcher::connect(&format!("http://{free}"), &impatient()).await.unwrap_err().to_string();
    assert!(error.contains("onnection refused") && error.ends_with("(after 3 attempts)"), "{error}");

    let server = Server::start(|_, _, _| Reply::Hang);
    let settings = FetchSettings { timeout: Duration::from_millis(50), ..impatient() };
    let error = Fetcher::connect(&server.url, &settings).await.unwrap_err().to_string();
    assert!(error.ends_with("eth_chainId: no answer within 0.05 s (after 3 attempts)"), "{error}");
    assert_eq!(server.asked("eth_chainId"), 3);

    // TLS is there, and what is no TLS is an error and not a panic.
    let secure = server.url.replace("http", "https");
    let error = Fetcher::connect(&secure, &settings).await.unwrap_err().to_string();
    assert!(error.starts_with("https://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn the_key_in_an_address_is_not_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://user:secret@{free}/v3/secret?key=secret");
    let error = Fetcher::connect(&url, &impatient()).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("http://{free}/…: ")), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");

    let error = Fetcher::connect("ftp://example.org", &impatient()).await.unwrap_err().to_string();
    assert_eq!(error, r#""ftp://example.org" is no http or https URL: its scheme is "ftp""#);
    let error = Fetcher::connect("nowhere", &impatient()).await.unwrap_err().to_string();
    assert!(error.starts_with(r#""nowhere" is no http or https URL: "#), "{error}");
}

#[tokio::test]
async fn the_fork_has_to_be_known() {
    let server = Server::start(|_, _, _| Reply::Result(json!("0x5")));
    let error = Fetcher::connect(&server.url, &impatient()).await.unwrap_err().to_string();
    assert!(error.contains("the chain id is 5, and only mainnet's forks are known"), "{error}");
    let server = Server::start(|_, _, _| Reply::Result(json!("0x1")));
    let settings = FetchSettings { fork: Some("prague".parse().unwrap()), ..impatient() };
    let error = Fetcher::connect(&server.url, &settings).await.unwrap_err().to_string();
    assert!(error.contains("the node is on mainnet") && error.ends_with("prague cannot be chosen"), "{error}");
}

/// A file of ours, and a node that has it and fails at every third request for the state.
fn shaky() -> (BlockFile, Server) {
    let (_, file) = fixtures::files().swap_remove(0);
    let node = Arc::new(file.clone());
    let server = Server::start(move |method, params, before| match (method, before % 6) {
        ("eth_getBalance" | "eth_getStorageAt" | "eth_getBlockByNumber", 0) => {
            Reply::Http { status: "429 Too Many Requests", headers: "", body: String::new() }
        }
        ("eth_getBalance" | "eth_getCode", 3) => Reply::CutOff,
        _ => fixtures::answer(&node, method, params),
    });
    (file, server)
}

#[tokio::test]
async fn a_block_comes_through_a_node_that_fails_now_and_then() {
    let (file, server) = shaky();
    let settings = FetchSettings { retries: 5, backoff: Duration::from_millis(1), ..fixtures::settings(&file) };
    let fetcher = Fetcher::connect(&server.url, &settings).await.unwrap();
    let fetched = fetcher.fetch(file.block.header.number).await.unwrap();
    assert_eq!(fetched.file, file);
    assert!(server.asked("eth_getBalance") > file.prestate.len());
}

fn weft_fetch(server: &Server, file: &BlockFile, folder: &Path, arguments: &[&str]) -> Output {
    let fork = file.chain.unwrap().fork.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.args(["fetch", "--rpc", &server.url, "--fork", &fork]).args(arguments).arg("--out").arg(folder);
    command.output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_node_that_fails_leaves_no_file() {
    let (_, file) = fixtures::files().swap_remove(0);
    let number = file.block.header.number.to_string();
    let node = file.clone();
    let server = Server::start(move |method, params, _| match method {
        "eth_getCode" => Reply::Error { code: -32000, message: "missing trie node" },
        _ => fixtures::answer(&node, method, params),
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = weft_fetch(&server, &file, folder.path(), &[&number, "--retries", "1"]);
    assert_eq!(ran.status.code(), Some(1));
    let error = String::from_utf8(ran.stderr).unwrap();
    let expected = format!(
        "weft: block {number}: {}: eth_getCode: the node refuses: missing trie node (code -32000)\n",
        server.url
    );
    assert!(error.ends_with(&expected), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn files_are_written_whole_kept_and_overwritten() {
    let (_, file) = fixtures::files().swap_remove(0);
    let number = file.block.header.number;
    let text = number.to_string();
    let node = file.clone();
    let server = Server::start(move |method, params, _| fixtures::answer(&node, method, params));
    let folder = tempfile::tempdir().unwrap();
    let ran = weft_fetch(&server, &file, folder.path(), &["latest", &text, "--json"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&report[0]["skipped"], &report[1]["skipped"]), (&json!(false), &json!(true)));
    assert_eq!(report[0]["transactions"], file.block.transactions.len());
    let path = folder.path().join(format!("{number}.json.gz"));
    assert_eq!(BlockFile::read(&path).unwrap(), file);

    assert!(weft_fetch(&server, &file, folder.path(), &[&text, "--plain"]).status.success());
    assert_eq!(names(folder.path()), [format!("{number}.json"), format!("{number}.json.gz")]);
    assert_eq!(std::fs::read(folder.path().join(format!("{number}.json"))).unwrap()[0], b'{');

    std::fs::write(&path, "old").unwrap();
    let ran = weft_fetch(&server, &file, folder.path(), &[&text]);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("is there already, and kept"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert!(weft_fetch(&server, &file, folder.path(), &[&text, "--overwrite"]).status.success());
    assert_eq!(BlockFile::read(&path).unwrap(), file);
}

/// Writing fails once the content is there: what was begun is removed.
#[test]
fn a_name_that_cannot_be_taken_leaves_no_part() {
    let (_, file) = fixtures::files().swap_remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.json.gz");
    std::fs::create_dir(&path).unwrap();
    let error = file.write(&path).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert_eq!(names(folder.path()), ["1.json.gz"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_fetch_ends_at_once_and_leaves_no_file() {
    let (_, file) = fixtures::files().swap_remove(0);
    let node = file.clone();
    let server = Server::start(move |method, params, _| match method {
        "eth_getStorageAt" => Reply::Hang,
        _ => fixtures::answer(&node, method, params),
    });
    let folder = tempfile::tempdir().unwrap();
    let fork = file.chain.unwrap().fork.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.args(["fetch", "--rpc", &server.url, "--fork", &fork, "latest", "--out"]).arg(folder.path());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let waiting = std::time::Instant::now();
    while server.asked("eth_getStorageAt") == 0 {
        assert!(waiting.elapsed() < Duration::from_secs(60), "it does not ask for a slot");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // Far less than the server's silence, or the timeout.
    let waiting = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(waiting.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("interrupted"));
    assert!(names(folder.path()).is_empty());
}
