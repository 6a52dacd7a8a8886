# A container that analyses studies without network. Built with network, run without:
#
#   docker build -t cinema-cmr .
#   mkdir -p out new
#   docker run --rm --network none --user "$(id -u)" -v "$PWD/studies:/studies:ro" -v "$PWD/out:/out" cinema-cmr analyse /studies/A -o /out/A
#
# The folders are made before, since those that the engine makes belong to root, which --user could not write to.
# The viewer listens on the loopback address alone, so that it shares the host's:
#
#   docker run --rm --network host --user "$(id -u)" -v "$PWD/out:/out" -v "$PWD/new:/new" cinema-cmr serve /out --home /new
#
# The bundled weights are inside the wheel: nothing is fetched when it runs. For research use only; not a medical device.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN pip install --no-cache-dir -c /wheels/constraints.txt "$(ls /wheels/*.whl)[dicom,formats,web]" \
 && rm -r /wheels \
 && useradd --create-home cinema
USER cinema
# Caches lie where every --user may write. One process, so that a scheduler sees what it uses; raise it to the processors that the container may use.
ENV OMP_NUM_THREADS=2 HF_HUB_OFFLINE=1 MPLCONFIGDIR=/var/tmp/matplotlib
HEALTHCHECK NONE
ENTRYPOINT ["cinema"]
CMD ["doctor"]
