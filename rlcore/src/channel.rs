//! Messages between master and worker that are not on the step path: one Unix socket per worker. Messages are length-prefixed
//! `postcard`; calls have time limits; file descriptors can be sent too.
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Reasons for which a message was not sent or received.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The peer has closed its end or is dead.
    #[error("the other side closed the connection")]
    Closed,
    /// The time limit has passed.
    #[error("the peer neither sent nor took a message within {0:?}")]
    TimedOut(Duration),
    /// A system call failed.
    #[error("socket: {0}")]
    Io(std::io::Error),
    /// The message could not be encoded or decoded.
    #[error("message: {0}")]
    Format(#[from] postcard::Error),
}

/// One end of a socket pair.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
}

/// Length of the longest message in bytes; a longer one means a broken peer.
const MAX_MESSAGE: usize = 1 << 30;

impl Channel {
    /// Two connected ends.
    pub fn pair() -> std::io::Result<(Self, Self)> {
        let (a, b) = UnixStream::pair()?;
        Ok((Self { stream: a }, Self { stream: b }))
    }

    /// A channel over a socket that another process has sent.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { stream: UnixStream::from(fd) }
    }

    /// A second handle of the same end.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { stream: self.stream.try_clone()? })
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.stream.as_fd()
    }

    /// Sends one message within `limit`.
    pub fn send<M: Serialize>(&self, message: &M, limit: Duration) -> Result<(), ChannelError> {
        self.write(message, Some(limit))
    }

    /// Sends one message without a time limit: waits until the peer has read enough of earlier messages, or is gone.
    pub fn send_unhurried<M: Serialize>(&self, message: &M) -> Result<(), ChannelError> {
        self.write(message, None)
    }

    fn write<M: Serialize>(
        &self,
        message: &M,
        limit: Option<Duration>,
    ) -> Result<(), ChannelError> {
        let body = postcard::to_stdvec(message)?;
        let mut bytes = (body.len() as u64).to_le_bytes().to_vec();
        bytes.extend(body);
        let failed = |e| wrap(e, limit.unwrap_or_default());
        self.stream.set_write_timeout(limit).map_err(failed)?;
        (&self.stream).write_all(&bytes).map_err(failed)
    }

    /// Receives one message. `limit` applies to each part of it that arrives.
    pub fn recv<M: DeserializeOwned>(&self, limit: Duration) -> Result<M, ChannelError> {
        self.stream.set_read_timeout(Some(limit)).map_err(|e| wrap(e, limit))?;
        let mut head = [0; 8];
        (&self.stream).read_exact(&mut head).map_err(|e| wrap(e, limit))?;
        let len = u64::from_le_bytes(head) as usize;
        if len > MAX_MESSAGE {
            return Err(ChannelError::Format(postcard::Error::DeserializeBadEncoding));
        }
        let mut body = vec![0; len];
        (&self.stream).read_exact(&mut body).map_err(|e| wrap(e, limit))?;
        Ok(postcard::from_bytes(&body)?)
    }

    /// Whether a message, or the end of the connection, can be read now.
    pub fn ready(&self) -> bool {
        self.wait_ready(Duration::ZERO)
    }

    /// Waits at most `limit` (up to a minute) for a message or the end of the connection.
    pub fn wait_ready(&self, limit: Duration) -> bool {
        let limit = PollTimeout::from(limit.as_millis().min(60_000) as u16);
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, limit), Ok(n) if n > 0)
    }

    /// Whether the peer has closed its end.
    pub fn closed(&self) -> bool {
        let mut fds = [PollFd::new(self.fd(), PollFlags::empty())];
        let polled = poll(&mut fds, PollTimeout::ZERO);
        polled.is_ok()
            && fds[0]
                .revents()
                .is_some_and(|r| r.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }

    /// Sends file descriptors; the peer receives duplicates.
    pub fn send_fds(&self, fds: &[RawFd]) -> Result<(), ChannelError> {
        let marker = [fds.len() as u8];
        let messages = [ControlMessage::ScmRights(fds)];
        sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(&marker)],
            &messages,
            MsgFlags::empty(),
            None,
        )
        .map_err(|e| wrap(e.into(), Duration::ZERO))?;
        Ok(())
    }

    /// Receives the descriptors of one [`Channel::send_fds`].
    pub fn recv_fds(&self, limit: Duration) -> Result<Vec<OwnedFd>, ChannelError> {
        // Wait here and not in `recvmsg`, which fails with EINTR when the process is stopped and continued.
        if !self.wait_ready(limit) {
            return Err(ChannelError::TimedOut(limit));
        }
        let mut marker = [0u8];
        let mut space = nix::cmsg_space!([RawFd; 8]);
        let mut parts = [IoSliceMut::new(&mut marker)];
        let fd = self.stream.as_raw_fd();
        let got = recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
            .map_err(|e| wrap(e.into(), limit))?;
        if got.bytes == 0 {
            return Err(ChannelError::Closed);
        }
        let mut fds = Vec::new();
        for message in got.cmsgs().map_err(|e| ChannelError::Io(e.into()))? {
            if let ControlMessageOwned::ScmRights(raw) = message {
                // SAFETY: the kernel just installed these descriptors for us, and nobody else knows them.
                fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        Ok(fds)
    }
}

fn wrap(e: std::io::Error, limit: Duration) -> ChannelError {
    use std::io::ErrorKind;
    match e.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
            ChannelError::Closed
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ChannelError::TimedOut(limit),
        _ => ChannelError::Io(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn messages_and_descriptors_arrive_and_silence_ends() {
        let (a, b) = Channel::pair().unwrap();
        a.send(&("hello".to_owned(), 7u32), LIMIT).unwrap();
        assert!(b.ready());
        assert_eq!(b.recv::<(String, u32)>(LIMIT).unwrap(), ("hello".to_owned(), 7));
        a.send_fds(&[0, 1]).unwrap();
        assert_eq!(b.recv_fds(LIMIT).unwrap().len(), 2);
        let silence = b.recv::<u32>(Duration::from_millis(5));
        assert!(matches!(silence, Err(ChannelError::TimedOut(_))));
        assert!(!b.closed());
        drop(a);
        assert!(b.closed());
        assert!(matches!(b.recv::<u32>(LIMIT), Err(ChannelError::Closed)));
    }

    /// More than a socket holds, and a reader that is late. Broken by a limit, also one that an earlier message left.
    #[test]
    fn a_message_that_is_read_late_arrives_and_a_reader_that_ends_is_an_end() {
        let (a, b) = Channel::pair().unwrap();
        a.send(&1u32, Duration::from_millis(1)).unwrap();
        let long = vec![7u8; 4 << 20];
        let sent = std::thread::spawn({
            let long = long.clone();
            move || (a.send_unhurried(&long), a)
        });
        assert_eq!(b.recv::<u32>(LIMIT).unwrap(), 1);
        // What is tested is a length of time.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(b.recv::<Vec<u8>>(LIMIT).unwrap(), long);
        let (sent, a) = sent.join().unwrap();
        sent.unwrap();
        let sent = std::thread::spawn(move || a.send_unhurried(&long));
        assert!(b.wait_ready(LIMIT));
        drop(b);
        assert!(matches!(sent.join().unwrap(), Err(ChannelError::Closed)));
    }
}
