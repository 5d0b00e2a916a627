# raytap in a container. Its pip steps are run by tests/test_packaging.py in a bare venv.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1

WORKDIR /usr/src/raytap
COPY pyproject.toml README.md LICENSE ./
COPY broker broker
COPY publishers publishers
COPY subscribers subscribers
RUN pip install --no-cache-dir --disable-pip-version-check '.[fast]'

# The daemon makes its state directory itself, below this one and closed to others (0700).
RUN useradd --uid 10001 --home-dir /var/lib/raytap --create-home raytap
USER raytap
WORKDIR /var/lib/raytap
ENV RAYTAP_STATE_DIR=/var/lib/raytap/state
VOLUME /var/lib/raytap

# ZeroMQ and HTTP. Both bind to 127.0.0.1 unless the settings say otherwise: docker-compose.yml
# shows how they are opened to other containers, and what that means.
EXPOSE 5556 8270

HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8270/livez', timeout=2)"]

ENTRYPOINT ["raytap"]
CMD ["serve"]
