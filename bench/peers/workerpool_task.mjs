// The task of workerpool.
import workerpool from "npm:workerpool@9";

workerpool.worker({ next: (n) => n + 1 });
