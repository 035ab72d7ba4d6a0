"""One service call as a list of (role, text) turns, composed from topic and talk templates."""

from __future__ import annotations

import random
import re
from functools import cache
from itertools import pairwise

from . import identity
from .grammar import Scene, Section, Value, load, load_slots
from .speech import spoken_en, spoken_zh

Turn = tuple[str, str]
_DETOURS = (("wait", "waited"), ("verify", "verified"), ("phone_ask", "phone_give"), ("wait", "chat"))
_GAP = re.compile(r" +(?=[,.;?])")


@cache
def bank(language: str) -> dict[str, Value]:
    """Returns the slots of a language, with its identities."""
    slots: dict[str, Value] = {**load_slots(f"slots_{language}")}
    slots |= {
        "phone": identity.phone_zh if language == "zh" else identity.phone_en,
        "idcard": identity.id_card,
        "card": identity.bank_card,
        "email": identity.email,
        "order": identity.order,
        "badge": identity.badge,
        "company": identity.company,
        "n": identity.small_zh if language == "zh" else identity.small,
        "tail": identity.tail,
    }
    return slots


@cache
def topics(language: str) -> dict[str, Section]:
    """Returns the topics of a language: problem, probe, detail, solve and two question-answer facts each."""
    return load(f"topics_{language}")


@cache
def talk(language: str) -> Section:
    """Returns the turns every call shares."""
    return load("talk")[language]


class Call:
    """A call in the making; it owns one scene, so a name or product stays the same through the call."""

    def __init__(self, rng: random.Random, language: str, noise: float) -> None:
        self.rng = rng
        self.language = language
        self.noise = noise
        self.scene = Scene(rng, bank(language))
        self.topic = rng.choice(sorted(topics(language)))
        self.turns: list[Turn] = []

    def agent(self, template: str) -> None:
        """Adds what the agent says, in written form."""
        self.turns.append(("assistant", self._finish(self.scene.say(template))))

    def customer(self, template: str) -> None:
        """Adds what the customer says, as spoken."""
        speak = spoken_zh if self.language == "zh" else spoken_en
        self.turns.append(("user", self._finish(speak(self.rng, self.scene.say(template), self.noise))))

    def exchange(self, customer: str, agent: str) -> None:
        """Adds a customer turn and the agent's reply."""
        self.customer(customer)
        self.agent(agent)

    def _finish(self, text: str) -> str:
        text = _GAP.sub("", text.replace("  ", " ")).strip("，, ")
        if self.language == "zh":
            closed = text if text[-1] in "。？！" else text + ("？" if text[-1] in "吗呢么" else "。")
            return closed.replace("。，", "，")
        return text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


def compose(rng: random.Random, language: str, noise: float, agent_first: bool, length: int) -> Call:
    """Returns a call of about ``length`` extra exchanges around its problem and its solution."""
    call = Call(rng, language, noise)
    part, shared, pick = topics(language)[call.topic], talk(language), rng.choice
    if agent_first:
        call.agent(pick(shared["greet"]))
    elif rng.random() < 0.5:
        call.exchange(pick(shared["hello"]), pick(shared["greet"]))
    probes = rng.sample(range(len(part["probe"])), k=min(length, rng.randrange(1, len(part["probe"]) + 1)))
    call.exchange(pick(part["problem"]), pick(shared["empathy"]) + part["probe"][probes[0]])
    for before, probe in pairwise(probes):
        call.exchange(part["detail"][before], part["probe"][probe])
    call.customer(part["detail"][probes[-1]])
    for kind in rng.sample(_DETOURS, k=min(3, max(0, length - 2))):
        call.agent(pick(shared[kind[0]]))
        call.customer(pick(shared[kind[1]]))
    call.agent(pick(part["solve"]))
    for fact in rng.sample(("1", "2"), k=rng.randrange(1, 3) if length > 1 else 1):
        if f"ask{fact}" in part:
            call.exchange(pick(part[f"ask{fact}"]), pick(part[f"say{fact}"]))
    if rng.random() < 0.6:
        call.exchange(pick(shared["ack"]), pick(shared["more"]))
    call.exchange(pick(shared["nomore"]), pick(shared["bye"]))
    return call
