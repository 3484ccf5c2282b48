//! Messages over MPI. Only the main thread calls it.

use std::io::Write;
use std::os::raw::{c_int, c_void};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::ffi;
use mpi::point_to_point::{Message as Envelope, Status};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;

use super::{ClusterError, Message, Order, Transport};
use crate::work::Model;

/// Between two looks for a message.
const POLL: Duration = Duration::from_millis(1);
/// At the end a rank waits so long for the others.
const FAREWELL: Duration = Duration::from_secs(60);
/// Exit code of a job whose ranks cannot end together.
const FAILED: c_int = 1;
/// A launcher that ends a job may drop what ranks have said less than this before.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// This process among all of an MPI job.
pub struct Mpi {
    // Dropped before the universe, whose end finalizes MPI.
    world: SimpleCommunicator,
    node: usize,
    sending: Vec<Sending>,
    /// The last model that came or went, as it travels: passing it on needs no encoding.
    parcel: Option<(Weak<Model>, Arc<Vec<u8>>)>,
    started: Instant,
    _universe: Universe,
}

/// A message that MPI may still be reading.
struct Sending {
    request: ffi::MPI_Request,
    _bytes: Arc<Vec<u8>>,
}

impl Mpi {
    /// Starts MPI. From now on a panic of the main thread ends all ranks: one that waits for a rank that is gone would
    /// wait for ever.
    pub fn start() -> Result<Mpi, ClusterError> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| ClusterError::Transport("MPI has been started before".into()))?;
        if threading < Threading::Funneled {
            return Err(ClusterError::Transport("this MPI allows no threads beside it".into()));
        }
        let world = universe.world();
        end_all_on_panic(world.rank());
        let mut node = world.rank();
        world.split_shared(world.rank()).process_at_rank(0).broadcast_into(&mut node);
        Ok(Mpi {
            world,
            node: node as usize,
            sending: Vec::new(),
            parcel: None,
            started: Instant::now(),
            _universe: universe,
        })
    }

    /// What the MPI library calls itself. MPI need not have been started.
    pub fn library() -> String {
        let text = mpi::environment::library_version().unwrap_or_default();
        text.lines().next().unwrap_or_default().trim_matches(['\0', ' ', '\t']).to_string()
    }

    /// Ends all ranks at once, whatever they do.
    pub fn abort(&self) -> ! {
        std::thread::sleep(LAST_WORDS);
        self.world.abort(FAILED)
    }

    /// Forgets messages that have been sent, and a parcel whose model nobody here has any more.
    fn progress(&mut self) {
        self.parcel.take_if(|(model, _)| model.strong_count() == 0);
        self.sending.retain_mut(|sending| !is_complete(&mut sending.request));
    }

    /// Says that this rank has sent everything; complete when all have said so.
    fn start_to_leave(&self) -> ffi::MPI_Request {
        // SAFETY: all zeros is a value of the request, an integer or a pointer, which MPI_Ibarrier overwrites.
        unsafe {
            let mut request: ffi::MPI_Request = std::mem::zeroed();
            ffi::MPI_Ibarrier(self.world.as_raw(), &mut request);
            request
        }
    }

    /// A message as it travels.
    fn encode(&mut self, message: &Message) -> Result<Arc<Vec<u8>>, postcard::Error> {
        let Message::Order(Order::Model(_, model)) = message else {
            return postcard::to_stdvec(message).map(Arc::new);
        };
        if let Some((known, bytes)) = &self.parcel
            && known.as_ptr() == Arc::as_ptr(model)
        {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(postcard::to_stdvec(message)?);
        self.parcel = Some((Arc::downgrade(model), bytes.clone()));
        Ok(bytes)
    }

    fn take(&mut self, envelope: Envelope, status: &Status) -> Result<(usize, Message), ClusterError> {
        let rank = status.source_rank() as usize;
        let mut bytes = vec![0_u8; status.count(u8::equivalent_datatype()) as usize];
        envelope.matched_receive_into(&mut bytes[..]);
        match postcard::from_bytes(&bytes) {
            Ok(message) => {
                if let Message::Order(Order::Model(_, model)) = &message {
                    self.parcel = Some((Arc::downgrade(model), Arc::new(bytes)));
                }
                Ok((rank, message))
            }
            Err(error) => Err(ClusterError::Protocol { rank, what: format!("it sent no message ({error})") }),
        }
    }
}

/// Whether an operation has come to its end; it may not be asked again after that.
fn is_complete(request: &mut ffi::MPI_Request) -> bool {
    let mut done: c_int = 0;
    // SAFETY: the request is one that MPI gave and no test has completed yet.
    unsafe { ffi::MPI_Test(request, &mut done, ffi::RSMPI_STATUS_IGNORE) };
    done != 0
}

fn end_all_on_panic(rank: c_int) {
    let (main, before) = (std::thread::current().id(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        // Panics of other threads reach rank 0 as a message.
        let mut finalized: c_int = 0;
        // SAFETY: MPI_Finalized may be called at any time, by any thread.
        unsafe { ffi::MPI_Finalized(&mut finalized) };
        if std::thread::current().id() == main && finalized == 0 {
            // A closed standard error must not panic within a panic.
            let _ = writeln!(
                std::io::stderr(),
                "rank {rank}: this panic ends all ranks; finished tiles are stored"
            );
            std::thread::sleep(LAST_WORDS);
            // SAFETY: this is the main thread, and MPI has been started and not finalized.
            unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, FAILED) };
        }
    }));
}

impl Transport for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn node(&self) -> usize {
        self.node
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError> {
        let fail =
            |what: String| ClusterError::Transport(format!("a message to rank {to} cannot be sent: {what}"));
        let bytes = self.encode(&message).map_err(|e| fail(e.to_string()))?;
        let count =
            c_int::try_from(bytes.len()).map_err(|_| fail(format!("it has {} bytes", bytes.len())))?;
        // SAFETY: all zeros is a value of the request, an integer or a pointer, which MPI_Isend overwrites. The buffer
        // has `count` bytes on the heap; they neither move nor are freed before MPI_Test says that MPI is
        // done with them.
        let request = unsafe {
            let mut request: ffi::MPI_Request = std::mem::zeroed();
            let datatype = u8::equivalent_datatype();
            ffi::MPI_Isend(
                bytes.as_ptr().cast::<c_void>().cast_mut(),
                count,
                datatype.as_raw(),
                to as c_int,
                0,
                self.world.as_raw(),
                &mut request,
            );
            request
        };
        self.sending.push(Sending { request, _bytes: bytes });
        Ok(())
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError> {
        let until = Instant::now() + patience;
        loop {
            self.progress();
            if let Some((envelope, status)) = self.world.any_process().immediate_matched_probe() {
                return self.take(envelope, &status).map(Some);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(POLL));
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Mpi {
    /// Leaves together with the other ranks. What still comes is of no use to anybody any more, but its sender waits
    /// until it is received.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let began = Instant::now();
        let mut leaving = None;
        loop {
            self.progress();
            while let Some((envelope, status)) = self.world.any_process().immediate_matched_probe() {
                let mut bytes = vec![0_u8; status.count(u8::equivalent_datatype()) as usize];
                envelope.matched_receive_into(&mut bytes[..]);
            }
            if self.sending.is_empty() && leaving.is_none() {
                leaving = Some(self.start_to_leave());
            }
            if leaving.as_mut().is_some_and(is_complete) {
                return;
            }
            if began.elapsed() > FAREWELL {
                log::error!("the other ranks did not come to an end");
                std::thread::sleep(LAST_WORDS);
                self.abort();
            }
            std::thread::sleep(POLL);
        }
    }
}
