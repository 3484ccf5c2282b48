//! Whether ranks compute on GPUs: all of them or none, so that all compute the same bits.

use std::time::Duration;

use super::{Answer, ClusterError, Message, Order, Presence, Seat, Transport};
use crate::engine::{EngineChoice, Gpu, Place};

/// A rank that does not answer for so long, while it compiles kernels, never will.
const COMPILING: Duration = Duration::from_secs(900);

/// Decides what all ranks compute on, notes it in their seats and says why; returns what rank 0 computes on. If the user
/// wants GPUs only and a rank has none, all ranks are sent home.
pub(super) fn assign<T: Transport>(
    transport: &mut T,
    choice: EngineChoice,
    ranks: &[Presence],
    seats: &mut [Seat],
) -> Result<Place, ClusterError> {
    if choice == EngineChoice::Cpu {
        return Ok(Place::Cpu);
    }
    let obstacle = match common_obstacle(ranks) {
        Some(obstacle) => obstacle,
        None => match try_all(transport, ranks, seats)? {
            Ok(place) => {
                log::info!("computing on GPUs: {}", tally(seats).unwrap_or_default());
                warn_of_sharing(seats);
                return Ok(place);
            }
            Err(obstacle) => obstacle,
        },
    };
    if choice == EngineChoice::Cuda {
        for rank in 1..ranks.len() {
            transport.send(rank, Message::Order(Order::Quit))?;
        }
        return Err(ClusterError::NoGpu(obstacle));
    }
    match ranks.iter().any(|r| r.gpu_count > 0) {
        true => log::warn!("computing on CPUs, and GPUs stay idle: {obstacle}"),
        false => log::info!("computing on CPUs: {obstacle}"),
    }
    Ok(Place::Cpu)
}

/// Why ranks cannot compute on GPUs, as far as they know before they try.
fn common_obstacle(ranks: &[Presence]) -> Option<String> {
    let (rank, presence) = ranks.iter().enumerate().find(|(_, r)| r.gpus.obstacle.is_some())?;
    let obstacle = presence.gpus.obstacle.clone()?;
    match ranks.iter().all(|r| r.gpus.obstacle.as_ref() == Some(&obstacle)) {
        true => Some(obstacle),
        false => Some(on_rank(rank, &presence.host, &obstacle)),
    }
}

fn on_rank(rank: usize, host: &str, obstacle: &str) -> String {
    format!("rank {rank} on {host}: {obstacle}")
}

/// Has all ranks open their GPUs. The own one is returned, and all are noted in the seats, unless one cannot be used.
fn try_all<T: Transport>(
    transport: &mut T,
    ranks: &[Presence],
    seats: &mut [Seat],
) -> Result<Result<Place, String>, ClusterError> {
    let gpu = |seat: &Seat| seat.gpu.unwrap_or(0);
    for (rank, seat) in seats.iter().enumerate().skip(1) {
        transport.send(rank, Message::Order(Order::TryGpu(gpu(seat))))?;
    }
    let own = Place::gpu(gpu(&seats[0]) as usize);
    let obstacles = obstacles_of_others(transport)?;
    let place = match (own, obstacles.iter().enumerate().find_map(|(rank, o)| Some((rank, o.as_ref()?)))) {
        (Ok(place), None) => place,
        (Ok(_), Some((rank, obstacle))) => return Ok(Err(on_rank(rank, &ranks[rank].host, obstacle))),
        (Err(error), _) if ranks.len() == 1 => return Ok(Err(error.to_string())),
        (Err(error), _) => return Ok(Err(on_rank(0, &ranks[0].host, &error.to_string()))),
    };
    for (presence, seat) in ranks.iter().zip(seats) {
        seat.device = presence.gpus.visible.get(gpu(seat) as usize).cloned();
    }
    Ok(Ok(place))
}

/// Why ranks but rank 0 cannot use their GPUs, by rank, when all have tried.
fn obstacles_of_others<T: Transport>(transport: &mut T) -> Result<Vec<Option<String>>, ClusterError> {
    let mut tried: Vec<Option<Option<String>>> = vec![None; transport.size()];
    tried[0] = Some(None);
    while let Some(missing) = tried.iter().position(Option::is_none) {
        match transport.receive(COMPILING)? {
            Some((rank, Message::Answer(Answer::Tried(obstacle)))) => tried[rank] = Some(obstacle),
            Some((rank, _)) => {
                return Err(ClusterError::Protocol { rank, what: "it did not try its GPU".into() });
            }
            None => return Err(ClusterError::Lost { rank: missing, seconds: COMPILING.as_secs() }),
        }
    }
    Ok(tried.into_iter().map(Option::flatten).collect())
}

/// The GPUs that ranks compute on: `4 x NVIDIA H200`; nothing if they compute on CPUs.
pub(crate) fn tally(seats: &[Seat]) -> Option<String> {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for (gpu, _) in users(seats) {
        match names.iter_mut().find(|(name, _)| *name == gpu.name) {
            Some((_, count)) => *count += 1,
            None => names.push((&gpu.name, 1)),
        }
    }
    let text = |(name, count): &(&str, usize)| match count {
        1 => name.to_string(),
        _ => format!("{count} x {name}"),
    };
    (!names.is_empty()).then(|| names.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// GPUs and the ranks that compute on each.
fn users(seats: &[Seat]) -> Vec<(&Gpu, Vec<usize>)> {
    let mut users: Vec<(&Gpu, Vec<usize>)> = Vec::new();
    for (rank, seat) in seats.iter().enumerate() {
        let Some(gpu) = &seat.device else { continue };
        match users.iter_mut().find(|(known, _)| known.uuid == gpu.uuid) {
            Some((_, ranks)) => ranks.push(rank),
            None => users.push((gpu, vec![rank])),
        }
    }
    users
}

fn warn_of_sharing(seats: &[Seat]) {
    for (gpu, ranks) in users(seats).into_iter().filter(|(_, ranks)| ranks.len() > 1) {
        let seat = &seats[ranks[0]];
        let names: Vec<String> = ranks.iter().map(usize::to_string).collect();
        let number = seat.gpu.unwrap_or(0);
        log::warn!("{}: ranks {} share GPU {number} ({})", seat.host, names.join(" "), gpu.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(node: u32, name: &str, uuid: &str) -> Seat {
        let device = Some(Gpu { name: name.into(), uuid: uuid.into() });
        Seat { host: format!("n{node}"), node, local_rank: 0, threads: 1, gpu: Some(0), device }
    }

    fn presence(host: &str, obstacle: Option<&str>) -> Presence {
        let mut presence =
            Presence::of_this_process(0, super::super::Wish { threads: 1, engine: EngineChoice::Cpu });
        presence.host = host.into();
        presence.gpus.obstacle = obstacle.map(String::from);
        presence
    }

    #[test]
    fn gpus_are_counted_once_whoever_shares_them() {
        let (h200, a100) = ("NVIDIA H200", "NVIDIA A100");
        assert_eq!(tally(&[seat(0, h200, "a")]).as_deref(), Some("NVIDIA H200"));
        let seats = [seat(0, h200, "a"), seat(0, h200, "b"), seat(2, h200, "a"), seat(2, a100, "c")];
        assert_eq!(tally(&seats).as_deref(), Some("2 x NVIDIA H200, NVIDIA A100"));
        assert_eq!(users(&seats)[0].1, [0, 2]);
        assert_eq!(tally(&[Seat { device: None, ..seat(0, h200, "a") }]), None);
    }

    #[test]
    fn one_rank_without_a_gpu_speaks_for_all_and_is_named() {
        assert_eq!(common_obstacle(&[presence("n1", None), presence("n2", None)]), None);
        let same = [presence("n1", Some("no driver")), presence("n2", Some("no driver"))];
        assert_eq!(common_obstacle(&same).as_deref(), Some("no driver"));
        let one = [presence("n1", None), presence("n2", Some("no driver"))];
        assert_eq!(common_obstacle(&one).as_deref(), Some("rank 1 on n2: no driver"));
    }
}
