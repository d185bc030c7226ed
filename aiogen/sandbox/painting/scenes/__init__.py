"""The subjects of pictures: one small scene for each thing that prompts mention.

Each scene paints a stage from its sky down to the foreground. The lower quarter stays calm, because the prompt is
written there.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..stage import Stage
from ..words import first_mentioned
from .animals import cat, dog, snow_fox
from .country import balloon, bamboo, blossom, cottage, greenhouse, lavender, sunflowers, toy_balloon, tree, windmill
from .heights import canyon, caravan, frozen_lake, monastery, mountain_hut, woods
from .town import bicycle, city, fishing_village, harbour_town, night_train, rooftop_garden, tea_house
from .water import ferry, lake, lighthouse, paper_boat, rowing_crew, sailing_ship, stone_bridge

Scene = Callable[[Stage], None]

# The first that the prompt mentions counts, so narrower ones come before wider ones.
SCENES: tuple[tuple[str, Scene], ...] = (
    ("lighthouse", lighthouse), ("paper boat", paper_boat), ("mountain hut", mountain_hut),
    ("sailing ship", sailing_ship), ("bamboo", bamboo), ("harbour", harbour_town), ("harbor", harbour_town),
    ("greenhouse", greenhouse), ("bridge", stone_bridge), ("sunflower", sunflowers), ("train", night_train),
    ("windmill", windmill),
    ("frozen lake", frozen_lake), ("caravan", caravan), ("camel", caravan), ("desert", caravan), ("dune", caravan),
    ("tea house", tea_house), ("temple", tea_house), ("bicycle", bicycle), ("bike", bicycle),
    ("air balloon", balloon), ("red balloon", toy_balloon), ("balloon", balloon), ("fishing village", fishing_village),
    ("monastery", monastery), ("castle", monastery), ("rowing", rowing_crew), ("lavender", lavender),
    ("ferry", ferry), ("fox", snow_fox), ("canyon", canyon), ("rooftop", rooftop_garden), ("garden", blossom),
    ("cat", cat), ("dog", dog), ("ship", sailing_ship), ("postcard", harbour_town), ("village", fishing_village),
    ("town", city), ("city", city), ("street", bicycle), ("forest", woods), ("wood", woods), ("tree", tree),
    ("flower", blossom), ("hut", mountain_hut), ("cabin", mountain_hut), ("house", cottage), ("skater", frozen_lake),
    ("skating", frozen_lake), ("ice", frozen_lake),
    ("boat", lake), ("lake", lake), ("river", stone_bridge), ("mountain", mountain_hut), ("sea", lighthouse),
    ("coast", lighthouse), ("field", sunflowers), ("farm", cottage),
)  # fmt: skip
OTHERS: tuple[Scene, ...] = (lake, tree, city, cottage, balloon, woods, blossom, caravan, toy_balloon, windmill)


def scene_for(prompt: str, dice: random.Random) -> Scene:
    """The scene that the prompt, in lower case, mentions; else any."""
    return first_mentioned(prompt, SCENES) or dice.choice(OTHERS)


__all__ = ["OTHERS", "SCENES", "Scene", "scene_for"]
