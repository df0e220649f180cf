//! Sockets: listening or connecting, TCP or Unix. Without a peer, output is discarded.

use std::fs::File;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use super::hub::Hub;
use super::source::{Filter, Plain, pump};
use super::telnet::{HELLO, Telnet};
use crate::options::Address;

/// What accepts connections.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Opens a socket and starts the thread that serves it. With `wait`, returns after the first peer has come.
pub fn open(
    id: &str,
    address: &Address,
    server: bool,
    wait: bool,
    telnet: bool,
    hub: &Arc<Hub>,
) -> io::Result<()> {
    let hub = hub.clone();
    let thread = std::thread::Builder::new().name(format!("in-{id}"));
    if !server {
        let peer = Arc::new(connect(address)?);
        attach(&peer, false, &hub);
        thread.spawn(move || serve(&peer, false, &hub))?;
        return Ok(());
    }
    let listener = listen(address)?;
    let first = if wait {
        eprintln!("lyrebird: chardev {id}: waiting for a connection on {}", describe(address));
        let peer = Arc::new(accept(&listener)?);
        // The guest's first words come as soon as this returns.
        attach(&peer, telnet, &hub);
        Some(peer)
    } else {
        None
    };
    thread.spawn(move || {
        if let Some(peer) = first {
            serve(&peer, telnet, &hub);
        }
        loop {
            match accept(&listener) {
                Ok(peer) => {
                    let peer = Arc::new(peer);
                    attach(&peer, telnet, &hub);
                    hub.opened();
                    serve(&peer, telnet, &hub);
                }
                Err(e) => {
                    log::warn!("a connection could not be accepted: {e}");
                    std::thread::sleep(std::time::Duration::from_millis(200));
                }
            }
        }
    })?;
    Ok(())
}

/// Sends output to a peer from now on.
fn attach(peer: &Arc<File>, telnet: bool, hub: &Hub) {
    if telnet {
        // A peer that is gone already is noticed by reading.
        let _ = (&**peer).write_all(HELLO);
    }
    hub.output().set_sink(Some(peer.clone()));
}

/// Takes one peer's input until it goes.
fn serve(peer: &Arc<File>, telnet: bool, hub: &Hub) {
    let mut filter: Box<dyn Filter> = if telnet { Box::<Telnet>::default() } else { Box::new(Plain) };
    if let Err(e) = pump(peer, hub, filter.as_mut(), &|| true) {
        log::debug!("connection lost: {e}");
    }
    hub.output().set_sink(None);
}

fn connect(address: &Address) -> io::Result<File> {
    Ok(match address {
        Address::Tcp(host, port) => {
            let host = if host.is_empty() { "127.0.0.1" } else { host };
            let stream = TcpStream::connect((host, *port))?;
            stream.set_nodelay(true)?;
            File::from(OwnedFd::from(stream))
        }
        Address::Unix(path) => File::from(OwnedFd::from(UnixStream::connect(path)?)),
    })
}

fn listen(address: &Address) -> io::Result<Listener> {
    Ok(match address {
        Address::Tcp(host, port) => {
            let host = if host.is_empty() { "127.0.0.1" } else { host };
            Listener::Tcp(TcpListener::bind((host, *port))?)
        }
        Address::Unix(path) => {
            remove_stale(path);
            Listener::Unix(UnixListener::bind(path)?)
        }
    })
}

/// Removes a socket that an earlier run left behind; anything else at the path is left alone.
pub fn remove_stale(path: &Path) {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
}

fn accept(listener: &Listener) -> io::Result<File> {
    Ok(match listener {
        Listener::Tcp(l) => {
            let (stream, _) = l.accept()?;
            stream.set_nodelay(true)?;
            File::from(OwnedFd::from(stream))
        }
        Listener::Unix(l) => File::from(OwnedFd::from(l.accept()?.0)),
    })
}

/// An address for people.
pub fn describe(address: &Address) -> String {
    match address {
        Address::Tcp(host, port) => format!("tcp:{host}:{port}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}
