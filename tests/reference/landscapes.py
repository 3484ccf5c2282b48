"""Three landscapes of the campaign set, whose energies a package gives at 200 random points each: for chgnet_energies.py and sevennet.py.

They are built from the positions that the International Tables list, typed in below.
"""
import numpy as np
from ase import Atoms

NODES, POINTS = 60, 200


def pnnm_4g(x, y):
    return [(x, y, 0), (-x, -y, 0), (.5 - x, .5 + y, .5), (.5 + x, .5 - y, .5)]


def pnma_4c(x, z):
    return [(x, .25, z), (.5 - x, .75, .5 + z), (-x, .75, -z), (.5 + x, .25, .5 - z)]


def cmcm_4c(y):
    return [(0, y, .25), (0, -y, .75), (.5, .5 + y, .25), (.5, .5 - y, .75)]


COORDINATES = {                                            # of the structures of the campaign set, in the cells of LANDSCAPES
    "aflow-013-AB2_oP6_58_a_g": {"Cl1.x": .275, "Cl1.y": .325},
    "aflow-041-AB_oP8_62_c_c": {"S1.x": .3507, "S1.z": .0201, "Sn1.x": .11937, "Sn1.z": .1194},
    "aflow-195-A2B_oC12_63_2c_c": {"Si1.y": .939, "Si2.y": .25, "Zr1.y": .604},
}

LANDSCAPES = {                                             # structure of the campaign set: axes, edges, atoms as functions of the axes
    "aflow-013-AB2_oP6_58_a_g": (["Cl1.x", "Cl1.y"], [6.24, 6.43, 4.2],
                                 lambda x, y: {"Ca": [(0, 0, 0), (.5, .5, .5)], "Cl": pnnm_4g(x, y)}),
    "aflow-041-AB_oP8_62_c_c": (["S1.x", "Sn1.z"], [11.18, 3.982, 4.329],
                                lambda x, z: {"S": pnma_4c(x, .0201), "Sn": pnma_4c(.11937, z)}),
    "aflow-195-A2B_oC12_63_2c_c": (["Si1.y", "Si2.y"], [3.73, 14.72, 3.67],
                                   lambda y, v: {"Si": cmcm_4c(y) + cmcm_4c(v), "Zr": cmcm_4c(.604)}),
}


def crystal(name, node):
    _, edges, build = LANDSCAPES[name]
    sites = build(node // NODES / NODES, node % NODES / NODES)
    symbols = [symbol for symbol, places in sites.items() for _ in places]
    places = np.array([place for places in sites.values() for place in places])
    return Atoms(symbols, scaled_positions=places, cell=edges, pbc=True)


def elements(name):
    return set(map(int, crystal(name, 0).numbers))


def coincide(atoms):
    distances = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, 1)
    return distances.min() <= 1e-3


def landscape(name, energy):
    """A record with what `energy` gives for crystals, eV per atom; null where that is no number or atoms coincide."""
    nodes = np.sort(np.random.default_rng(30).choice(NODES * NODES, POINTS, replace=False))
    crystals = [crystal(name, node) for node in nodes]
    energies = [None if coincide(atoms) else energy(atoms) for atoms in crystals]
    print(f"{name}: {energies.count(None)} of {POINTS} points without energy", flush=True)
    return {"structure": name, "coordinates": COORDINATES[name], "axes": LANDSCAPES[name][0], "nodes_per_axis": NODES, "nodes": nodes.tolist(), "energies_eV_per_atom": energies}
