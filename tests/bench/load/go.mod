module quintet.dev/bench/load

go 1.24.0
