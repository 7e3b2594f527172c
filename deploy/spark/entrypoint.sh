#!/bin/bash
# What a pod of the image `spark` runs: Spark on Kubernetes says `driver` or `executor`, and gives the
# rest as arguments and variables. See Spark's "Running on Kubernetes".
set -euo pipefail

case ${1:-} in
driver)
    shift
    exec tini -s -- "$SPARK_HOME/bin/spark-submit" --deploy-mode client \
        --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" "$@"
    ;;
executor)
    options=()
    number=0
    name=SPARK_JAVA_OPT_$number
    while [ -n "${!name+set}" ]; do
        options+=("${!name}")
        number=$((number + 1))
        name=SPARK_JAVA_OPT_$number
    done
    exec tini -s -- "$JAVA_HOME/bin/java" "${options[@]}" \
        "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
        -cp "${SPARK_CONF_DIR:-$SPARK_HOME/conf}:$SPARK_HOME/jars/*" \
        org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
        --driver-url "$SPARK_DRIVER_URL" \
        --executor-id "$SPARK_EXECUTOR_ID" \
        --cores "$SPARK_EXECUTOR_CORES" \
        --app-id "$SPARK_APPLICATION_ID" \
        --hostname "$SPARK_EXECUTOR_POD_IP" \
        --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
        --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
*)
    echo "entrypoint.sh: driver or executor, not '${1:-}': Spark on Kubernetes says which" >&2
    exit 2
    ;;
esac
