//! Who has a model and who passes it on: a copy doubles with every transfer, so that rank 0 does not send thousands.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Copies that a rank sends at a time. Rank 0, which has other things to do, sends the first copy only.
const AT_A_TIME: usize = 2;

/// One model among the ranks. Rank 0 has it from the beginning; its computing thread asks like any rank.
#[derive(Debug)]
pub(super) struct Copies {
    /// Ranks that ask or have asked.
    asked: BTreeSet<usize>,
    /// Ranks that can pass it on, an entry for each copy that they can send now.
    senders: Vec<usize>,
    /// Ranks that are being sent it, and by whom.
    on_the_way: HashMap<usize, usize>,
    waiting: VecDeque<usize>,
}

/// A copy to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Copies {
    pub(super) fn new() -> Copies {
        Copies {
            asked: BTreeSet::new(),
            senders: vec![0],
            on_the_way: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A rank needs the model: what to send now.
    pub(super) fn ask(&mut self, rank: usize) -> Vec<Transfer> {
        if !self.asked.insert(rank) {
            return Vec::new();
        }
        if rank == 0 {
            // Within the process.
            return vec![Transfer { from: 0, to: 0 }];
        }
        self.waiting.push_back(rank);
        self.transfers()
    }

    /// A rank has got it: what to send now.
    pub(super) fn arrived(&mut self, rank: usize) -> Vec<Transfer> {
        let Some(from) = self.on_the_way.remove(&rank) else { return Vec::new() };
        if from > 0 {
            self.senders.push(from);
        }
        self.senders.extend([rank; AT_A_TIME]);
        self.transfers()
    }

    fn transfers(&mut self) -> Vec<Transfer> {
        let mut transfers = Vec::new();
        while !self.waiting.is_empty() {
            let Some(from) = self.senders.pop() else { break };
            let Some(to) = self.waiting.pop_front() else { break };
            self.on_the_way.insert(to, from);
            transfers.push(Transfer { from, to });
        }
        transfers
    }

    /// Ranks that have it or will.
    pub(super) fn holders(&self) -> impl Iterator<Item = usize> + '_ {
        self.asked.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_gets_one_copy_in_logarithmic_time() {
        let mut copies = Copies::new();
        let mut moving: Vec<Transfer> = (0..1000).flat_map(|rank| copies.ask(rank)).collect();
        assert!(copies.ask(5).is_empty());
        let (mut got, mut rounds) = (vec![0; 1000], 0);
        while !moving.is_empty() {
            rounds += 1;
            for sender in 1..1000 {
                assert!(moving.iter().filter(|t| t.from == sender).count() <= AT_A_TIME);
            }
            let arrived: Vec<usize> = moving.drain(..).map(|t| t.to).collect();
            arrived.iter().for_each(|rank| got[*rank] += 1);
            moving = arrived.into_iter().flat_map(|rank| copies.arrived(rank)).collect();
        }
        assert!(got.iter().all(|n| *n == 1));
        assert!(rounds <= 8, "{rounds}");
        assert_eq!(copies.holders().count(), 1000);
    }
}
