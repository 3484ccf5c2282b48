//! Opening, resuming and filling a result file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hdf5::{File, Group};

use super::compare::compare;
use super::create::{Header, create, unbuffered};
use super::output::{check_name, is_there, resolved, sweep};
use super::surface::{Distances, SurfaceArrays};
use super::trouble::{explain, in_use, is_locked};
use super::{RunRecord, StoreError, runs, scales, schema};
use crate::engine::PointResult;
use crate::work::{SurfaceId, Work};

/// What is kept of surfaces that are being filled takes at most so much memory, unless a single one takes more.
const OPEN_BYTES: usize = 1 << 30;

/// How much of a surface is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// State of each tile, as [`schema::TILE_STATES`].
    pub tile_states: Vec<u8>,
}

/// A result file open for writing; there is one writer at a time.
pub struct ResultFile {
    path: PathBuf,
    file: File,
    /// Place of this run among all.
    run: usize,
    /// Surfaces being filled, with the distances of their landscapes.
    surfaces: HashMap<SurfaceId, SurfaceArrays>,
    distances: HashMap<(usize, usize), Distances>,
    /// Tiles written by this process.
    writes: u64,
}

/// Keeps a file that is to be replaced from all other runs, until the new one is open: of several that start over at once
/// one does. None if HDF5 cannot open it, so that nobody writes it.
fn lock(path: &Path) -> Result<Option<File>, StoreError> {
    match hdf5::FileBuilder::new().with_fapl(unbuffered).open_rw(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_locked(&error) => Err(in_use(path)),
        Err(_) => Ok(None),
    }
}

impl ResultFile {
    /// Opens the file to go on with it, if it was made for the same work; creates it otherwise. `restart` throws away
    /// what an earlier file of s2dpes holds.
    pub fn open(
        path: &Path,
        campaign: &str,
        work: &Work,
        run: RunRecord,
        restart: bool,
    ) -> Result<ResultFile, StoreError> {
        hdf5::silence_errors(true);
        let path = &resolved(path);
        check_name(path)?;
        let exists = is_there(path)?;
        sweep(path, &run.host);
        let old = if exists && restart { lock(path)? } else { None };
        let mut create_anew = !exists || restart;
        if create_anew {
            let history = format!("{} s2dpes run", run.started);
            let source = format!("s2dpes {}", run.version);
            let header = Header { campaign, source: &source, history: &history, run: &run };
            create_anew = create(path, &header, work, exists)?;
        }
        let fail = |e: hdf5::Error| explain(path, &e);
        let file = hdf5::FileBuilder::new().with_fapl(unbuffered).open_rw(path).map_err(fail)?;
        drop(old);
        compare(path, &file, work)?;
        let run = if create_anew { 0 } else { runs::append(&file, &run).map_err(fail)? };
        file.flush().map_err(fail)?;
        Ok(ResultFile {
            path: path.to_path_buf(),
            file,
            run,
            surfaces: HashMap::new(),
            distances: HashMap::new(),
            writes: 0,
        })
    }

    /// What is stored of a surface.
    pub fn progress(&self, work: &Work, id: SurfaceId) -> Result<Progress, StoreError> {
        let read = || self.group(work, id)?.dataset(schema::TILE_STATE.name)?.read_raw::<u8>();
        let tile_states = read().map_err(|e| self.fail(&e))?;
        Ok(Progress { tile_states })
    }

    /// Stores the results of a tile, which took some seconds.
    pub fn write_tile(
        &mut self,
        work: &Work,
        id: SurfaceId,
        tile: usize,
        (results, seconds): (&[PointResult], f64),
    ) -> Result<(), StoreError> {
        self.try_write(work, id, tile, (results, seconds)).map_err(|e| self.fail(&e))
    }

    fn try_write(
        &mut self,
        work: &Work,
        id: SurfaceId,
        tile: usize,
        results: (&[PointResult], f64),
    ) -> hdf5::Result<()> {
        if !self.surfaces.contains_key(&id) {
            let arrays = SurfaceArrays::open(&self.group(work, id)?, work.surface(id))?;
            self.surfaces.insert(id, arrays);
            self.make_room(id);
        }
        let landscape = (id.structure, id.landscape);
        if !self.distances.contains_key(&landscape) {
            let path = format!("{}/{}", work.structures[id.structure].crystal.name, work.landscape(id).name);
            self.distances.insert(landscape, Distances::open(&self.file.group(&path)?)?);
        }
        let (Some(arrays), Some(distances)) = (self.surfaces.get_mut(&id), self.distances.get(&landscape))
        else {
            return Ok(());
        };
        self.writes += 1;
        arrays.last_use = self.writes;
        arrays.write(distances, work.surface(id), tile, results)
    }

    /// Stores the energy of the input structure, in eV per atom.
    pub fn write_reference(&mut self, work: &Work, id: SurfaceId, energy: f64) -> Result<(), StoreError> {
        let write = || self.group(work, id)?.dataset(schema::REFERENCE_ENERGY.name)?.write_scalar(&energy);
        write().map_err(|e: hdf5::Error| self.fail(&e))
    }

    /// Marks tiles of a surface as failed.
    pub fn fail_tiles(&mut self, work: &Work, id: SurfaceId, tiles: &[usize]) -> Result<(), StoreError> {
        let mark = || {
            let states = self.group(work, id)?.dataset(schema::TILE_STATE.name)?;
            tiles.iter().try_for_each(|t| states.write_slice(&[schema::TILE_FAILED], *t..*t + 1))
        };
        mark().map_err(|e: hdf5::Error| self.fail(&e))
    }

    /// Says why a surface has failed, or that it has not.
    pub fn set_failure(&mut self, work: &Work, id: SurfaceId, why: Option<&str>) -> Result<(), StoreError> {
        let set = || {
            let group = self.group(work, id)?;
            if group.attr(schema::FAILURE).is_ok() {
                group.delete_attr(schema::FAILURE)?;
            }
            why.map_or(Ok(()), |why| scales::text_attribute(&group, schema::FAILURE, why))
        };
        set().map_err(|e: hdf5::Error| self.fail(&e))
    }

    /// Frees the memory of a surface that is complete, and of its landscape's distances.
    pub fn close_surface(&mut self, id: SurfaceId) {
        self.surfaces.remove(&id);
        self.distances.remove(&(id.structure, id.landscape));
    }

    /// Keeps the memory of surfaces that are being filled within bounds; what is in the file can be read again.
    fn make_room(&mut self, wanted: SurfaceId) {
        let size = |(id, arrays): (&SurfaceId, &SurfaceArrays)| (arrays.bytes(), arrays.last_use, *id);
        let mut open: Vec<_> = self.surfaces.iter().map(size).collect();
        open.sort_by_key(|(_, last_use, _)| *last_use);
        let mut total: usize = open.iter().map(|(bytes, ..)| bytes).sum();
        for (bytes, _, id) in open.into_iter().filter(|(.., id)| *id != wanted) {
            if total <= OPEN_BYTES {
                break;
            }
            total -= bytes;
            self.close_surface(id);
        }
    }

    /// Records how long this run has taken and makes sure that everything is in the file.
    pub fn finish(&mut self, seconds: f64) -> Result<(), StoreError> {
        runs::set_seconds(&self.file, self.run, seconds).map_err(|e| self.fail(&e))?;
        self.file.flush().map_err(|e| self.fail(&e))
    }

    fn group(&self, work: &Work, id: SurfaceId) -> hdf5::Result<Group> {
        self.file.group(&work.path(id))
    }

    fn fail(&self, error: &hdf5::Error) -> StoreError {
        explain(&self.path, error)
    }
}
