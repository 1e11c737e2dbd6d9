# The two commands of the README; tools/start.py does the work and needs nothing but Python 3.11 or newer.
# Options: make demo ARGS="--seed 3", make test ARGS="-k kalman"
PYTHON ?= python3

.PHONY: demo test clean

demo:
	$(PYTHON) tools/start.py demo $(ARGS)

test:
	$(PYTHON) tools/start.py test $(ARGS)

clean:
	rm -rf .venv .venv-test demo-out runs build dist *.egg-info
