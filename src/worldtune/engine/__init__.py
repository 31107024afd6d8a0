"""How a world model learns: rollouts, GRPO, SFT, evaluation. Knows no domain and no Kedro."""
