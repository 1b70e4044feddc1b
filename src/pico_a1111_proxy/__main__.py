"""python -m pico_a1111_proxy."""

from pico_a1111_proxy.cli import main

if __name__ == "__main__":
    main()
