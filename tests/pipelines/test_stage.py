"""Nodes become a domain's pipeline: namespace, tags, and the bound domain."""

from kedro.pipeline import Node

from worldtune.pipelines.stage import build_stage, for_domain


def greet(config: dict[str, int], seed: int, *, domain: str) -> str:
    return f"{domain} {config} {seed}"


def test_names_gain_the_domain_and_shared_parameters_do_not() -> None:
    node = Node(
        for_domain(greet, "web"),
        inputs={"config": "params:sft", "seed": "params:seed"},
        outputs="greeting",
        name="greet",
    )
    stage = build_stage([node], stage="sft", domain="web")
    assert stage.inputs() == {"params:web.sft", "params:seed"}
    assert stage.outputs() == {"web.greeting"}
    assert stage.nodes[0].name == "web.greet"
    assert stage.nodes[0].tags == {"sft", "web"}


def test_the_domain_is_bound_and_the_name_kept() -> None:
    bound = for_domain(greet, "web")
    assert bound(config={"steps": 1}, seed=2) == "web {'steps': 1} 2"
    assert bound.__name__ == "greet"
