"""`python -m healing_pipeline` is the same as `healing`."""

from healing_pipeline.cli.app import main

if __name__ == "__main__":
    main()
