from __future__ import annotations

import dadeum


def test_python_does_what_the_command_line_does(project):
    recipe = dadeum.load_recipe("recipe.yaml", overrides=("evaluate.generate_rows=0",))
    assert dadeum.plan(recipe).problems == []
    run = dadeum.Run.create(recipe, project / "api")
    built = dadeum.build_data(recipe, run)
    assert built.rows_in == sum(built.used.values()) + sum(built.removed.values())
    dadeum.check_data(recipe, run)
    assert dadeum.train(recipe, run)["sft"].steps > 0
    scores = dadeum.evaluate(recipe, run)
    assert scores.num_rows["test"] == built.used["test"]
    assert dadeum.write_report(recipe, run).exists()
    assert dadeum.export(recipe, run).folder.exists()
