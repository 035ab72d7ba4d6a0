"""Mixtures as other trainers write them: what they yield, and how a mixture of ours is written for them."""

from __future__ import annotations

from curate.errors import RecipeError, did_you_mean
from curate.mixture.peers.axolotl import AXOLOTL
from curate.mixture.peers.llama_factory import LLAMA_FACTORY
from curate.mixture.peers.model import Config, Dataset, Peer, PeerMix, Wish, Yield
from curate.mixture.peers.ms_swift import MS_SWIFT
from curate.mixture.peers.open_instruct import OPEN_INSTRUCT
from curate.mixture.peers.trl import TRL

PEERS = {peer.name: peer for peer in (OPEN_INSTRUCT, LLAMA_FACTORY, MS_SWIFT, AXOLOTL, TRL)}
"""By name, in the order in which a config is held against them."""

__all__ = ["PEERS", "Config", "Dataset", "Peer", "PeerMix", "Wish", "Yield", "find_peer"]


def find_peer(config: Config, name: str | None = None) -> Peer:
    """Returns the peer of a name, or the one whose keys a config has.

    Raises:
        RecipeError: for an unknown name, or a config of none of them.
    """
    if name is not None:
        if name not in PEERS:
            raise RecipeError(f"no trainer {name!r} is known{did_you_mean(name, PEERS)}")
        return PEERS[name]
    for peer in PEERS.values():
        if peer.recognizes(config):
            return peer
    raise RecipeError(f"this config has the keys of none of {', '.join(PEERS)}; say which by --from")
